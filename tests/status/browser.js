// node browser.js BROWSER URL: opens the page as a person's browser does, narrow and wide, light and dark, and prints what
// it saw, one "key: value" a line. Speaks with the browser through its pipe: nothing but Node is needed.
"use strict";
const { spawn } = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");

const [, , browser, url] = process.argv;
const profile = fs.mkdtempSync(path.join(os.tmpdir(), "moontide-browser-"));
const child = spawn(browser, [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
  "--user-data-dir=" + profile, "--remote-debugging-pipe", "about:blank",
], { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
let said = "";
child.stderr.on("data", (d) => { said = (said + d).slice(-2000); });
const end = (status) => {
  child.kill("SIGKILL");
  try { fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 }); } catch (e) { /* it is in the temporary folder */ }
  process.exit(status);
};
child.on("exit", (code) => { console.log("browser: ended with " + code + " " + said.replace(/\n/g, " ")); end(1); });
setTimeout(() => { console.log("browser: too slow"); end(1); }, 60000);

let number = 0, pending = new Map(), rest = "", listeners = [];
child.stdio[4].on("data", (data) => {
  const parts = (rest + data).split("\0");
  rest = parts.pop();
  for (const part of parts) {
    const message = JSON.parse(part);
    if (message.id) {
      const waiting = pending.get(message.id);
      pending.delete(message.id);
      if (message.error) waiting.reject(new Error(JSON.stringify(message.error))); else waiting.resolve(message.result);
    } else {
      for (const listener of listeners) listener(message);
    }
  }
});
const send = (method, params, sessionId) => new Promise((resolve, reject) => {
  pending.set(++number, { resolve, reject });
  child.stdio[3].write(JSON.stringify({ id: number, method, params: params || {}, sessionId }) + "\0");
});

const look = `(() => {
  const $ = (s) => [...document.querySelectorAll(s)];
  const text = (e) => e.textContent.replace(/\\s+/g, " ").trim();
  const tables = $("table");
  const rgb = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => { const [r, g, b] = rgb(c).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = getComputedStyle(document.body).backgroundColor;
  const contrast = (c) => { const a = light(c), b = light(back); return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); };
  const texts = $("body *").filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return {
    title: document.title,
    lang: document.documentElement.lang,
    landmarks: [$("header").length, $("main").length, $("nav[aria-label]").length].join(" "),
    headings: $("h1").length + " " + $("h2").map(text).join(", "),
    sections: $("section").every((s) => document.getElementById(s.getAttribute("aria-labelledby"))),
    tables: tables.length,
    headers: tables.every((t) => t.querySelectorAll("thead th[scope=col]").length > 1
      && [...t.querySelectorAll("tbody tr")].every((r) => r.querySelector("th[scope=row]"))),
    rows: $("tbody tr").map(text).join(" || "),
    reasons: $("header li").map(text).join(" || "),
    scripts: $("script").length,
    handlers: $("*").filter((e) => [...e.attributes].some((a) => a.name.startsWith("on"))).length,
    elsewhere: $("[src],link[href],a[href]").map((e) => e.getAttribute("src") || e.getAttribute("href"))
      .filter((u) => !/^(\\/|data:)/.test(u) || u.startsWith("//")).join(" "),
    evil: $("#evil, b, img").length,
    refresh: ($("meta[http-equiv=refresh]")[0] || { content: "none" }).content,
    width: document.documentElement.scrollWidth,
    styled: getComputedStyle(document.body).overflowWrap,
    background: back,
    contrast: Math.min(...texts.map((e) => contrast(getComputedStyle(e).color))).toFixed(1),
    progress: $("progress").map((p) => p.value + " of " + p.max).join(", "),
  };
})()`;

(async () => {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const complaints = [], requests = [];
  listeners.push((m) => {
    if (m.sessionId !== sessionId) return;
    if (m.method === "Runtime.consoleAPICalled") complaints.push("console." + m.params.type);
    if (m.method === "Runtime.exceptionThrown") complaints.push("exception " + m.params.exceptionDetails.text);
    if (m.method === "Log.entryAdded") complaints.push(m.params.entry.source + ": " + m.params.entry.text);
    if (m.method === "Page.javascriptDialogOpening") {
      complaints.push("dialog " + m.params.message);
      send("Page.handleJavaScriptDialog", { accept: true }, sessionId);
    }
    if (m.method === "Network.requestWillBeSent") requests.push(m.params.request.url);
  });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await send(domain + ".enable", {}, sessionId);
  const open = async (where, width, scheme) => {
    await send("Emulation.setDeviceMetricsOverride", { width, height: 740, deviceScaleFactor: 1, mobile: width < 500 }, sessionId);
    await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] }, sessionId);
    const loaded = new Promise((resolve) => listeners.push((m) => { if (m.method === "Page.loadEventFired") resolve(); }));
    await send("Page.navigate", { url: where }, sessionId);
    await loaded;
    return (await send("Runtime.evaluate", { expression: look, returnByValue: true }, sessionId)).result.value;
  };
  const wide = await open(url, 1200, "light");
  const narrow = await open(url, 360, "light");
  const dark = await open(url, 1200, "dark");
  const held = await open(url + "?refresh=off", 1200, "light");
  for (const [key, value] of Object.entries(wide)) console.log(key + ": " + value);
  console.log("narrow: " + narrow.width);
  console.log("dark: " + (dark.background !== wide.background) + " contrast " + dark.contrast);
  console.log("held: " + held.refresh);
  console.log("complaints: " + complaints.join(" || "));
  console.log("requests: " + [...new Set(requests)].map((u) => u.replace(url, "/")).join(" "));
  if (process.env.MT_SCREENSHOT) {
    for (const [name, width, scheme] of [["wide", 1200, "light"], ["narrow", 360, "dark"]]) {
      await open(url, width, scheme);
      const { data } = await send("Page.captureScreenshot", { captureBeyondViewport: true }, sessionId);
      fs.writeFileSync(process.env.MT_SCREENSHOT + "-" + name + ".png", Buffer.from(data, "base64"));
    }
  }
  child.removeAllListeners("exit");
  end(0);
})().catch((e) => { console.log("browser: " + e.message); end(1); });
