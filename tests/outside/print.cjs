// Prints the page of a receipt: node print.cjs SERVER PATH TOKEN FILE.pdf
"use strict";
const { chromium } = require("playwright-core");

const [server, path, token, file] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, colorScheme: "dark" });
  await context.addCookies([{ name: "__Host-session", value: token, url: `${server}/`, secure: true }]);
  const page = await context.newPage();
  await page.goto(server + path);
  await page.emulateMedia({ media: "print" });
  const code = await page.locator("svg[role=img]").boundingBox();
  if (!code || code.width < 100 || code.height < 100) console.log("the QR code is not printed");
  await page.pdf({ path: file, format: "A4" });
  await browser.close();
}

main();
