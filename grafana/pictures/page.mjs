// A dashboard as a page that draws itself.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const WIDTH = 1360, COLUMN = WIDTH / 24, LINE = 30;

const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** A number with its unit, as short as it can be read. */
export function shown(value, unit, decimals) {
  if (value === undefined || value === null || Number.isNaN(value)) return "-";
  const short = (number) => Math.abs(number) >= 100 || Number.isInteger(number) ? Math.round(number).toLocaleString("en") : String(Number(number.toPrecision(3)));
  if (decimals === 0 && unit === "short") return Math.round(value).toLocaleString("en");
  if (unit === "percentunit") return `${short(value * 100)} %`;
  if (unit === "ops") return `${short(value)}/s`;
  if (unit === "s" && value !== 0 && Math.abs(value) < 1) return `${short(value * 1000)} ms`;
  if (unit === "s" && value >= 120) return `${short(value / 60)} min`;
  return unit === "s" ? `${short(value)} s` : short(value);
}

const COLORS = { green: "#56a64b", orange: "#e0752d", red: "#c4162a" };

function threshold(value, thresholds) {
  const reached = thresholds.steps.filter((step) => step.value === null || value >= step.value);
  return COLORS[reached.at(-1).color];
}

const number = (text) => (text === "+Inf" ? Infinity : Number(text));
const last = (series) => number((series.value ?? series.values.at(-1))[1]);

function stat(panel) {
  const { unit, thresholds, decimals } = panel.fieldConfig.defaults;
  const value = panel.data.length ? last(panel.data[0]) : undefined;
  const color = value === undefined ? "#555" : threshold(value, thresholds);
  return `<div class="stat" style="background:${color}">${shown(value, unit, decimals)}</div>`;
}

function table(panel) {
  const { excludeByName: hidden, renameByName: names } = panel.transformations[1].options;
  const rows = new Map();
  const keys = [...new Set(panel.data.flatMap((series) => Object.keys(series.metric)))].filter((key) => !hidden[key]);
  for (const series of panel.data) {
    const id = JSON.stringify(keys.map((key) => series.metric[key]));
    rows.set(id, { ...rows.get(id), labels: series.metric, [series.refId]: last(series) });
  }
  const columns = panel.targets.filter((target) => !(hidden["Value #A"] && target.refId === "A"));
  const override = (name) => panel.fieldConfig.overrides.find((one) => one.matcher.options === name)?.properties ?? [];
  const property = (name, id) => override(name).find((one) => one.id === id)?.value;
  const head = [...keys, ...columns.map((target) => names[`Value #${target.refId}`])];
  const cell = (row, target) => {
    const name = names[`Value #${target.refId}`], value = row[target.refId], limits = property(name, "thresholds");
    const color = limits && value !== undefined && !Number.isNaN(value) ? `color:${threshold(value, limits)}` : "";
    return `<td class="n" style="${color}">${value === undefined ? "" : shown(value, property(name, "unit"), property(name, "decimals"))}</td>`;
  };
  const body = [...rows.values()].map((row) =>
    `<tr>${keys.map((key) => `<td>${escaped(row.labels[key] ?? "")}</td>`).join("")}${columns.map((target) => cell(row, target)).join("")}</tr>`);
  return `<table><tr>${head.map((name) => `<th>${escaped(name)}</th>`).join("")}</tr>${body.join("")}</table>`;
}

/** A panel's series on one time axis; `null` where there is nothing. */
function aligned(panel, span) {
  const times = [];
  for (let time = span.start; time <= span.end; time += span.step) times.push(time);
  const series = panel.data.map((one) => {
    const at = new Map(one.values.map(([time, text]) => [Math.round((time - span.start) / span.step), number(text)]));
    const fixed = panel.fieldConfig.overrides.find((override) => override.matcher.options === one.legend)?.properties[0].value;
    return { legend: one.legend, color: fixed?.fixedColor, values: times.map((_, index) => (Number.isFinite(at.get(index)) ? at.get(index) : null)) };
  });
  return { times, series };
}

function drawing(panel, span) {
  const { unit, thresholds, custom, max } = panel.fieldConfig.defaults;
  const { times, series } = aligned(panel, span);
  const limits = thresholds.steps.filter((step) => step.value !== null).map((step) => ({ value: step.value, color: COLORS[step.color] }));
  return { kind: panel.type, unit, times, series, limits: custom?.thresholdsStyle?.mode === "dashed" ? limits : [], max,
    stacked: custom?.stacking?.mode === "normal" };
}

/** The page, and the size of the window that shows it whole. */
export function page(dashboard, span, uplot) {
  let height = 0;
  const drawings = {};
  const panels = dashboard.panels.map((panel) => {
    const { x, y, w, h } = panel.gridPos;
    height = Math.max(height, (y + h) * LINE);
    const place = `left:${x * COLUMN + 3}px;top:${y * LINE + 3}px;width:${w * COLUMN - 6}px;height:${h * LINE - 6}px`;
    if (panel.type === "row") return `<h2 style="${place}">${escaped(panel.title)}</h2>`;
    const still = { stat, table }[panel.type];
    if (!still) drawings[panel.id] = { ...drawing(panel, span), width: w * COLUMN - 18, height: h * LINE - 34 };
    return `<section style="${place}"><h3>${escaped(panel.title)}</h3><div id="p${panel.id}">${still ? still(panel) : ""}</div></section>`;
  });
  const read = (name) => readFileSync(join(uplot, name), "utf8");
  const draw = readFileSync(new URL("draw.js", import.meta.url), "utf8");
  const style = readFileSync(new URL("style.css", import.meta.url), "utf8");
  const html = `<!doctype html><meta charset="utf-8"><style>${read("uPlot.min.css")}${style}</style>
<h1>${escaped(dashboard.title)}</h1><main>${panels.join("\n")}</main>
<script>${read("uPlot.iife.min.js")}</script><script>const shown = ${shown};
const drawings = ${JSON.stringify(drawings)};
${draw}</script>`;
  return { html, width: WIDTH + 16, height: Math.ceil(height) + 58 };
}
