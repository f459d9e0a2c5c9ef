// Signs in at an identity provider in Chromium, without scripts: node openid.cjs SERVER PROVIDER MASKED
//
// Shows that the policy of the pages lets the browser go to the provider, that a form without an action posts to the URL
// with the code in it, and that the strict cookie travels with that POST although another site led here.
"use strict";
const { chromium } = require("playwright-core");

const [server, provider, masked] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, locale: "it-IT" });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  page.on("request", (request) => {
    const referrer = request.headers().referer || "";
    if (request.url().startsWith(provider) && /visit|callback/.test(referrer)) faults.push(`tells ${referrer}`);
  });
  await page.goto(`${server}/it/signin`);
  await page.getByRole("button", { name: "Entra con Prova" }).click();
  await page.waitForURL(/\/callback\?/, { timeout: 20000 });
  await page.getByRole("button", { name: /Continua/ }).click();
  await page.waitForURL(/\/visit\/[^/]+\/it\/welcome$/, { timeout: 20000 });
  if (!(await page.content()).includes(masked)) faults.push(`${masked} is not on ${await page.content()}`);
  const cookies = (await context.cookies(server)).map(({ name }) => name);
  if (cookies.join() !== "__Host-session") faults.push(`cookies: ${cookies}`);
  await browser.close();
  faults.forEach((fault) => console.log(fault));
  if (!faults.length) console.log("signed in");
  process.exitCode = faults.length ? 1 : 0;
}

main();
