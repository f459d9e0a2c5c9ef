// Looks at the console in Chromium in every way in which operators may, and prints every fault:
// node console.cjs '{"resting": URL, "in trouble": URL, "busy": URL}'
//
// A fault is a finding of axe (WCAG 2.2 AA), a request to another host, an error in the console of the browser, a page
// wider than the screen, and a page that does not follow the server. SCREENSHOTS names a directory for pictures.
"use strict";
const { chromium } = require("playwright-core");
const { Inspector } = require("./inspect.cjs");

const servers = JSON.parse(process.argv[2]);
const VIEWS = [
  { name: "desktop", viewport: { width: 1280, height: 800 }, live: "Live." },
  { name: "dark phone", viewport: { width: 390, height: 800 }, colorScheme: "dark", locale: "it-IT", live: "In diretta." },
];
let failed = 0;
let seen = 0;

function report(where, faults) {
  for (const fault of faults) console.log(`${where}: ${fault}`);
  failed += faults.length;
}

async function picture(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
}

/** A page of a server, with what goes wrong on it. */
async function open(browser, server, look, path = "/") {
  const context = await browser.newContext(look);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${server}/`)) faults.push(`asks for ${request.url()}`);
  });
  await page.goto(server + path);
  seen += 1;
  return { page, faults, close: () => context.close() };
}

/** With scripts, the page follows the events. */
async function withScripts(browser, inspector) {
  for (const [state, server] of Object.entries(servers)) {
    for (const { name, live: said, ...look } of VIEWS) {
      const { page, faults, close } = await open(browser, server, look);
      const live = page.getByText(said, { exact: true });
      await live.waitFor({ timeout: 15000 }).catch(() => faults.push("it is not live"));
      const trouble = await page.locator("#alarms .critical").count();
      if (trouble > 0 !== (state === "in trouble")) faults.push(`${trouble} critical alarms`);
      if (state === "busy") {
        const before = await page.locator("#finished").innerText();
        const moved = (text) => document.getElementById("finished").innerText !== text;
        await page.waitForFunction(moved, before, { timeout: 15000 }).catch(() => faults.push("it does not move"));
      }
      faults.push(...(await inspector.look(page)));
      await page.keyboard.press("Tab");
      const skip = await page.locator(":focus").boundingBox();
      if (!skip || skip.x < 0) faults.push("the skip link is not seen when it has the focus");
      await picture(page, `${state} ${name}`);
      report(`${state}, ${name}`, faults);
      await close();
    }
  }
}

/** Without scripts, the page loads itself again, unless that is turned off. */
async function withoutScripts(browser, inspector) {
  const look = { viewport: { width: 320, height: 800 }, javaScriptEnabled: false };
  const { page, faults, close } = await open(browser, servers.busy, look);
  faults.push(...(await inspector.look(page)));
  const before = await page.locator("#finished").innerText();
  await page.waitForEvent("load", { timeout: 20000 }).catch(() => faults.push("it is not loaded again"));
  if ((await page.locator("#finished").innerText()) === before) faults.push("it shows the same again");
  await page.getByRole("link", { name: "Do not update it by itself" }).click();
  await page.waitForURL("**/still");
  seen += 1;
  let loads = 0;
  page.on("load", () => (loads += 1));
  faults.push(...(await inspector.look(page)));
  await page.waitForTimeout(12000);
  if (loads > 0) faults.push("it is loaded again although that is turned off");
  report("without scripts", faults);
  await close();
}

/** A page without a stream says that it is old. */
async function cutOff(browser) {
  const context = await browser.newContext(VIEWS[0]);
  const page = await context.newPage();
  await page.route("**/events", (route) => route.abort());
  await page.goto(servers.resting);
  seen += 1;
  const old = page.getByText("Not live: what you see is old.", { exact: false });
  const told = await old.waitFor({ timeout: 20000 }).then(() => [], () => ["it claims to be live"]);
  report("cut off", told);
  await context.close();
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  const inspector = await Inspector.open(browser);
  await withScripts(browser, inspector);
  await withoutScripts(browser, inspector);
  await cutOff(browser);
  await browser.close();
  console.log(`${seen} pages seen`);
  process.exit(failed > 0 ? 1 : 0);
}

main();
