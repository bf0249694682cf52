// Runs in the page: what a stylesheet cannot draw.

const PALETTE = ["#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#b877d9", "#f2495c", "#8ab8ff", "#ffa6b0", "#37872d", "#e0b400", "#1f60c4", "#96d98d"];
const LEGEND = 50;
const NAMED = { green: "#56a64b", red: "#f2495c", "dark-red": "#c4162a", orange: "#ff9830", "dark-orange": "#fa6400", blue: "#5794f2", purple: "#b877d9", text: "#ccccdc" };
const color = (series, at) => NAMED[series.color] ?? PALETTE[at % PALETTE.length];
const clock = (time) => new Date(time * 1000).toISOString().slice(11, 19);

function axes(unit, splits) {
  const common = { stroke: "#8e8e99", grid: { stroke: "#24272c", width: 1 }, ticks: { show: false }, font: "10px DejaVu Sans" };
  return [{ ...common, space: 70, size: 20, values: (_, times) => times.map(clock) }, { ...common, size: 56, splits, values: (_, values) => values.map((value) => shown(value, unit)) }];
}

function legend(place, series, unit) {
  const last = (values) => values.findLast((value) => value !== null);
  const items = series.map(({ legend: name, values }, at) =>
    `<span><i style="background:${color(series[at], at)}"></i>${name || "value"} ${shown(last(values), unit)}</span>`);
  place.insertAdjacentHTML("beforeend", `<div class="legend">${items.join("")}</div>`);
}

function lines(place, { unit, times, series, limits, max, stacked, width, height }) {
  let sum = times.map(() => 0);
  const tops = series.map(({ values }) => {
    if (!stacked) return values;
    sum = sum.map((below, at) => below + (values[at] ?? 0));
    return sum;
  });
  const order = tops.map((_, at) => at);
  if (stacked) order.reverse();
  const highest = max ?? (Math.max(...tops.flat().filter((value) => value !== null), 0) * 1.08 || 1);
  const marks = (plot) => {
    for (const { value, color } of limits.filter((limit) => limit.value <= highest)) {
      const y = plot.valToPos(value, "y", true);
      plot.ctx.save();
      plot.ctx.strokeStyle = color;
      plot.ctx.setLineDash([6, 5]);
      plot.ctx.beginPath();
      plot.ctx.moveTo(plot.bbox.left, y);
      plot.ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
      plot.ctx.stroke();
      plot.ctx.restore();
    }
  };
  const style = (at) => ({ stroke: color(series[at], at), width: 1.3, points: { show: false }, spanGaps: false,
    fill: color(series[at], at) + (stacked ? "90" : "14") });
  new uPlot({ width, height: height - LEGEND, legend: { show: false }, cursor: { show: false }, axes: axes(unit),
    scales: { x: { time: false }, y: { range: [0, highest] } }, series: [{}, ...order.map(style)], hooks: { draw: [marks] } },
    [times, ...order.map((at) => tops[at])], place);
  legend(place, series, unit);
}

function rectangles(place, width, height, left, paint) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  place.append(canvas);
  const context = canvas.getContext("2d");
  context.font = "10px DejaVu Sans";
  context.fillStyle = "#8e8e99";
  paint(context, width - left - 6);
}

function hours(context, times, left, wide, y) {
  context.fillStyle = "#8e8e99";
  for (let part = 0; part <= 4; part++) {
    const at = Math.round((times.length - 1) * part / 4);
    context.fillText(clock(times[at]), Math.min(left + wide * part / 4, left + wide - 50), y);
  }
}

/** Each bucket's own count, from counts of everything up to it. */
function heat(place, { times, series, width, height }) {
  const rows = series.map(({ legend: le, values }) => ({ le: le === "+Inf" ? Infinity : Number(le), values })).sort((one, other) => one.le - other.le);
  const cells = rows.map(({ values }, at) => values.map((value, time) => Math.max(0, (value ?? 0) - (at ? rows[at - 1].values[time] ?? 0 : 0))));
  const most = Math.max(...cells.flat(), 1e-9), left = 56, tall = (height - 18) / rows.length;
  rectangles(place, width, height, left, (context, wide) => {
    const each = wide / times.length;
    cells.forEach((values, row) => {
      const y = height - 18 - (row + 1) * tall;
      context.fillStyle = "#8e8e99";
      context.fillText(rows[row].le === Infinity ? "more" : shown(rows[row].le, "s"), 2, y + tall / 2 + 4);
      values.forEach((value, time) => {
        if (value <= 0.01) return;
        context.fillStyle = `hsl(28 95% ${20 + 55 * Math.sqrt(value / most)}%)`;
        context.fillRect(left + time * each, y, each + 0.5, tall - 1);
      });
    });
    hours(context, times, left, wide, height - 4);
  });
}

function states(place, { times, series, width, height }) {
  const left = 165, tall = (height - 18) / series.length;
  rectangles(place, width, height, left, (context, wide) => {
    const each = wide / times.length;
    series.forEach(({ legend: name, values }, row) => {
      context.fillStyle = "#ccccdc";
      context.fillText(name, 2, row * tall + tall / 2 + 4);
      values.forEach((value, time) => {
        if (value === null) return;
        context.fillStyle = value >= 1 ? "#56a64b" : "#c4162a";
        context.fillRect(left + time * each, row * tall + 2, each + 0.5, tall - 4);
      });
    });
    hours(context, times, left, wide, height - 4);
  });
}

for (const [id, drawing] of Object.entries(drawings)) {
  ({ timeseries: lines, heatmap: heat, "state-timeline": states })[drawing.kind](document.getElementById(`p${id}`), drawing);
}
