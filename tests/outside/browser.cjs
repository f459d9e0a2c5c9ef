// Opens pages in Chromium, narrow and wide, light and dark, and prints every fault: node browser.cjs SERVER VISIT TOKEN
//
// A fault is a finding of axe (WCAG 2.2 AA), a request to another host, an error in the console, such as what the
// Content-Security-Policy forbids, a page wider than a screen of 320 pixels, a skip link that leads nowhere.
// SCREENSHOTS names a directory for pictures.
"use strict";
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const [server, visit, token] = process.argv.slice(2);
const VIEWS = [
  { name: "narrow", width: 320, colorScheme: "light" },
  { name: "dark", width: 320, colorScheme: "dark" },
  { name: "wide", width: 1280, colorScheme: "light" },
];
const PAGES = [
  { path: "/", lang: "it", status: 200 },
  { path: "/en", lang: "en", status: 200 },
  { path: "/nowhere", lang: "it", status: 404 },
  { path: `/visit/${visit}/`, lang: "it", status: 404 },
  { path: `/visit/${visit}/`, lang: "it", status: 200, cookie: token },
];

async function faults(context, page, { path, lang, status }) {
  const found = [];
  page.on("console", (message) => {
    // A page that is not found is in the console as an error, too.
    if (message.type() === "error" && !message.text().includes("404")) found.push(message.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${server}/`) && !url.startsWith("data:")) found.push(`asks for ${url}`);
  });
  const answer = await page.goto(server + path);
  if (answer.status() !== status) found.push(`status ${answer.status()}`);
  if ((await page.getAttribute("html", "lang")) !== lang) found.push("another language");
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  for (const { id, nodes } of violations) found.push(`${id}: ${nodes.map((node) => node.html).join(" ")}`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) found.push(`${overflow} pixels too wide`);
  await page.keyboard.press("Tab");
  const skip = await page.locator(":focus").boundingBox();
  if (!skip || skip.x < 0 || skip.y < 0) found.push("the skip link is not seen when it has the focus");
  await page.keyboard.press("Enter");
  if (!(await page.evaluate(() => document.activeElement.matches("main")))) found.push("the skip link leads nowhere");
  return found;
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  let failed = 0;
  for (const { name, width, colorScheme } of VIEWS) {
    for (const [number, shown] of PAGES.entries()) {
      const viewport = { width, height: 800 };
      const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport, colorScheme, locale: "it-IT" });
      if (shown.cookie) {
        await context.addCookies([{ name: "__Host-session", value: shown.cookie, url: `${server}/`, secure: true }]);
      }
      const page = await context.newPage();
      for (const fault of await faults(context, page, shown)) {
        console.log(`${name} ${shown.path} ${shown.status}: ${fault}`);
        failed += 1;
      }
      if (process.env.SCREENSHOTS) {
        await page.reload();
        await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${number}.png`, fullPage: true });
      }
      await context.close();
    }
  }
  await browser.close();
  console.log(`${VIEWS.length * PAGES.length} pages seen`);
  process.exit(failed > 0 ? 1 : 0);
}

main();
