// Draws the dashboards as PNG, from what a Prometheus knows:
//     node grafana/pictures.mjs http://127.0.0.1:9090 START_IN_SECONDS_SINCE_1970 docs/images
// Wants chromium on PATH; uPlot comes from npm into a folder that is thrown away. It follows the JSON as far as our panels go.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { page } from "./pictures/page.mjs";

const [prometheus, start, out] = process.argv.slice(2);
const folder = join(dirname(fileURLToPath(import.meta.url)), "dashboards");
const scratch = mkdtempSync(join(tmpdir(), "pictures-"));
const end = Date.now() / 1000;
const step = Math.max(1, Math.round((end - start) / 200));

/** What Grafana sends when everything is chosen. */
function filled(expr) {
  return expr.replaceAll("$__rate_interval", "15s").replaceAll("$__range", `${Math.round(end - start)}s`)
    .replaceAll(/"\$(job|queue|task|lock)"/g, '".*"');
}

async function answer(target) {
  const instant = target.instant;
  const parameters = new URLSearchParams({ query: filled(target.expr), ...(instant ? { time: end } : { start, end, step }) });
  const response = await fetch(`${prometheus}/api/v1/query${instant ? "" : "_range"}`, { method: "POST", body: parameters });
  const body = await response.json();
  if (body.status !== "success") throw new Error(`${target.expr}: ${body.error}`);
  const legend = (labels) => target.legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => labels[name] ?? "").trim();
  return body.data.result.map((series) => ({ ...series, refId: target.refId, legend: legend(series.metric) }));
}

try {
  execFileSync("npm", ["install", "--silent", "--no-fund", "--no-audit", "--prefix", scratch, "uplot@1.6.32"]);
  mkdirSync(out, { recursive: true });
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const dashboard = JSON.parse(readFileSync(join(folder, file), "utf8"));
    for (const panel of dashboard.panels) {
      panel.data = (await Promise.all((panel.targets ?? []).map(answer))).flat();
    }
    const { html, width, height } = page(dashboard, { start: Number(start), end, step }, join(scratch, "node_modules/uplot/dist"));
    const drawn = join(scratch, "page.html");
    writeFileSync(drawn, html);
    const picture = resolve(out, file.replace(".json", ".png"));
    execFileSync("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000",
      `--user-data-dir=${join(scratch, "profile")}`, `--window-size=${width},${height}`, `--screenshot=${picture}`, `file://${drawn}`],
      { stdio: "ignore", timeout: 120_000 });
    try {
      execFileSync("pngquant", ["--force", "--ext", ".png", "--speed", "1", "64", picture]);
    } catch {
      console.error("without pngquant the pictures are four times as large");
    }
    console.log(picture);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
