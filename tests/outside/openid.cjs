// Signs in at an identity provider in Chromium, without scripts: node openid.cjs SERVER PROVIDER MASKED [HEADING]
//
// Shows that the policy of the pages lets the browser go to the provider, that a form without an action posts to the URL
// with the code in it, and that the strict cookie travels with that POST although another site led here. With a heading,
// the provider refuses, and the page says why and leads back to signing in, without an obstacle.
"use strict";
const { chromium } = require("playwright-core");
const { Inspector } = require("./inspect.cjs");

const [server, provider, masked, heading] = process.argv.slice(2);

/** What a person is told whom the provider has refused. */
async function refused(browser, page) {
  await page.waitForLoadState();
  const found = (await page.locator("h1").innerText()).trim();
  const inspector = await Inspector.open(browser);
  const faults = await inspector.look(page);
  if (found !== heading) faults.push(`"${found}" instead of "${heading}"`);
  await page.getByRole("link", { name: "Riprova, oppure scegli un altro modo" }).click();
  if (!page.url().endsWith("/it/signin")) faults.push(`leads to ${page.url()}`);
  return faults;
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, locale: "it-IT" });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    // The status of a refusal is in the console as an error, too.
    if (message.type() === "error" && !heading) faults.push(message.text());
  });
  page.on("request", (request) => {
    const referrer = request.headers().referer || "";
    if (request.url().startsWith(provider) && /visit|callback/.test(referrer)) faults.push(`tells ${referrer}`);
  });
  await page.goto(`${server}/it/signin`);
  await page.getByRole("button", { name: "Entra con Prova" }).click();
  await page.waitForURL(/\/callback\?/, { timeout: 20000 });
  await page.getByRole("button", { name: /Continua/ }).click();
  if (heading) {
    faults.push(...(await refused(browser, page)));
  } else {
    await page.waitForURL(/\/visit\/[^/]+\/it\/welcome$/, { timeout: 20000 });
    if (!(await page.content()).includes(masked)) faults.push(`${masked} is not on ${await page.content()}`);
    const cookies = (await context.cookies(server)).map(({ name }) => name);
    if (cookies.join() !== "__Host-session") faults.push(`cookies: ${cookies}`);
  }
  await browser.close();
  faults.forEach((fault) => console.log(fault));
  if (!faults.length) console.log(heading ? "refused" : "signed in");
  process.exitCode = faults.length ? 1 : 0;
}

main();
