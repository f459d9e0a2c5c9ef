// A first version of the counter in Fastify and SQLite: what a good team has after a week. One process, fast libraries.
//
// It looks the session up, parses and validates the application, refuses a second one of the same person, answers the same
// key with the same receipt, and commits and syncs the record before it replies. It has no rules, signatures, encryption,
// limits or audit trail, so it does less than Sportello.
//
//     node fastify_counter.mjs PORT CERTIFICATE KEY SESSIONS DATABASE

import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import Database from "better-sqlite3";
import Fastify from "fastify";

const [port, certificate, key, sessions, path] = process.argv.slice(2);
const lines = readFileSync(sessions, "utf8").trim().split("\n");
const people = new Map(
  lines.map((line) => {
    const [code, token, visit] = line.split("\t");
    return [token, { person: code, visit }];
  }),
);

const database = new Database(path);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
database.exec(`CREATE TABLE IF NOT EXISTS applications (
    receipt TEXT PRIMARY KEY, person TEXT NOT NULL UNIQUE, key TEXT NOT NULL, digest TEXT NOT NULL,
    received_on TEXT NOT NULL, body TEXT NOT NULL
) STRICT`);
const find = database.prepare("SELECT receipt, key, digest, received_on FROM applications WHERE person = ?");
const insert = database.prepare("INSERT INTO applications VALUES (?, ?, ?, ?, ?, ?)");

const bool = { type: "boolean" };
const year = { type: "integer", minimum: 2000, maximum: 2100 };
const text = (pattern) => ({ type: "string", maxLength: 254, pattern });
const oneOf = (...values) => ({ type: "string", enum: values });
const form = (properties, optional = []) => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});
const amount = "^\\d{1,9}\\.\\d{2}$";
const code = "^[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]$";

const application = form(
  {
    scheme: { const: "iscro" },
    year,
    applicant: form({
      fiscalCode: text(code),
      email: text("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$"),
      phone: text("^\\+?\\d{6,15}$"),
    }),
    activity: form({
      vatNumber: text("^\\d{11}$"),
      vatOpenedOn: { type: "string", format: "date" },
      kind: oneOf("individual", "associatedPractice", "simplePartnership"),
    }),
    incomes: {
      type: "array",
      minItems: 3,
      maxItems: 4,
      items: form({ year, line: oneOf("RE", "RH", "LM"), amount: text(amount) }),
    },
    certifiedIncome: { type: ["string", "null"], pattern: amount },
    standing: form({
      separateManagement: bool,
      directPension: bool,
      invalidityAllowance: bool,
      otherCompulsoryInsurance: bool,
      inclusionAllowance: bool,
      unemploymentBenefit: oneOf("none", "naspi", "disColl", "alas"),
      politicalOffice: oneOf("none", "attendanceFee", "paid"),
      contributionsRegular: { type: ["boolean", "null"] },
    }),
    taxScheme: oneOf("ordinary", "flatRate"),
    payment: form({ iban: text("^[A-Z]{2}\\d{2}[A-Z0-9]{11,30}$") }),
    consents: form({ truthOfStatements: { const: true }, siislSharing: { const: true } }),
    earlierBenefits: { type: "array", maxItems: 20, items: form({ begunIn: year }) },
  },
  ["certifiedIncome", "earlierBenefits"],
);
const string = { type: "string" };
const receiptForm = form({ receipt: string, state: string, receivedOn: string, digest: string });
const headers = { type: "object", required: ["authorization", "idempotency-key"], properties: { "idempotency-key": text("^.{1,64}$") } };

const app = Fastify({
  https: { cert: readFileSync(certificate), key: readFileSync(key) },
  keepAliveTimeout: 600_000,
  ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
});
const refused = (status, message) => Object.assign(new Error(message), { statusCode: status });

app.post("/v1/sessions/:visit/applications", { schema: { headers, body: application, response: { 201: receiptForm } } }, (request, reply) => {
  const session = people.get(request.headers.authorization.replace(/^Bearer /, ""));
  if (session === undefined) throw refused(401, "no such session");
  const { person, visit } = session;
  if (request.params.visit !== visit) throw refused(404, "not found");
  if (request.body.applicant.fiscalCode !== person) throw refused(403, "not yours");
  const body = JSON.stringify(request.body);
  const digest = createHash("sha256").update(body).digest("hex");
  const idempotencyKey = request.headers["idempotency-key"];
  let known = find.get(person);
  if (known === undefined) {
    const receipt = `ISCRO-${request.body.year}-${randomBytes(8).toString("hex").toUpperCase()}`;
    known = { receipt, received_on: new Date().toISOString().slice(0, 10) };
    insert.run(receipt, person, idempotencyKey, digest, known.received_on, body);
  } else if (known.key !== idempotencyKey) {
    throw refused(409, "already applied");
  } else if (known.digest !== digest) {
    throw refused(422, "another application had this key");
  }
  reply.code(201).header("Location", `/v1/sessions/${visit}/applications/${known.receipt}`);
  reply.send({ receipt: known.receipt, state: "received", receivedOn: known.received_on, digest: `sha-256=${digest}` });
});

await app.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 });
