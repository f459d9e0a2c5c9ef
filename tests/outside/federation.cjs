// Judges an entity configuration with a published implementation of OpenID Federation: node federation.cjs SERVER ENTITY ANCHOR
//
// SERVER publishes the entity configuration of ENTITY, whose authority is ANCHOR, played here. Checks the statement's form
// and signature, its two kinds of keys, and that a chain from it to the anchor resolves and applies the anchor's policy;
// then that the same judge refuses it changed. Prints "accepted".
"use strict";
const crypto = require("node:crypto");
const https = require("node:https");
const { fetchEntityConfiguration, resolveTrustChains } = require("@openid-federation/core");

const [server, entity, anchor] = process.argv.slice(2);
const PATH = "/.well-known/openid-federation";
const ALGORITHMS = { RS256: ["RSA-SHA256"], ES256: ["SHA256", "ieee-p1363"] };

async function verifyJwtCallback({ jwt, header, jwk }) {
  const [hash, dsaEncoding] = ALGORITHMS[header.alg] || [];
  if (!hash || header.typ !== "entity-statement+jwt") return false;
  const end = jwt.lastIndexOf(".");
  const key = { key: crypto.createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding };
  return crypto.verify(hash, Buffer.from(jwt.slice(0, end)), key, Buffer.from(jwt.slice(end + 1), "base64url"));
}

/** The text that the server publishes. */
function published() {
  return new Promise((resolve, reject) => {
    https
      .get(`${server}${PATH}`, { rejectUnauthorized: false }, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => resolve({ type: answer.headers["content-type"], text: Buffer.concat(parts).toString() }));
      })
      .on("error", reject);
  });
}

const claimsOf = (statement) => JSON.parse(Buffer.from(statement.split(".")[1], "base64url"));

/** The anchor: signs statements about itself and about the entity, which must have this type of subjects. */
function anchored(leafKeys, subjectType) {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "anchor", use: "sig", alg: "ES256" };
  const now = Math.floor(Date.now() / 1000);
  const sign = (claims) => {
    const parts = [{ alg: "ES256", kid: "anchor", typ: "entity-statement+jwt" }, { iat: now, exp: now + 600, ...claims }];
    const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    const key = { key: privateKey, dsaEncoding: "ieee-p1363" };
    return `${signed}.${crypto.sign("SHA256", Buffer.from(signed), key).toString("base64url")}`;
  };
  const own = sign({
    iss: anchor,
    sub: anchor,
    jwks: { keys: [jwk] },
    metadata: { federation_entity: { federation_fetch_endpoint: `${anchor}/fetch` } },
  });
  const policy = { openid_relying_party: { subject_type: { one_of: [subjectType] }, scope: { value: "openid" } } };
  const ofEntity = sign({ iss: anchor, sub: entity, jwks: leafKeys, metadata_policy: policy });
  return { own, ofEntity };
}

/** Lets the judge fetch all names here, the entity's with `statement`. It looks for chains with the global function. */
function answer(statement, type, statements) {
  globalThis.fetch = async (url) => {
    const { origin, pathname } = new URL(url);
    const known = {
      [`${entity}${PATH}`]: statement,
      [`${anchor}${PATH}`]: statements.own,
      [`${anchor}/fetch`]: statements.ofEntity,
    };
    const body = known[`${origin}${pathname}`];
    return new Response(body || "", { status: body ? 200 : 404, headers: { "content-type": type } });
  };
}

async function refused(what, judging) {
  const outcome = await judging.then((found) => (Array.isArray(found) && !found.length ? null : found), () => null);
  if (outcome) throw new Error(`accepted although ${what}`);
}

async function main() {
  const { type, text } = await published();
  const claims = claimsOf(text);
  const statements = anchored(claims.jwks, "pairwise");
  const judged = (statement) => {
    answer(statement, type, statements);
    return fetchEntityConfiguration({ entityId: entity, verifyJwtCallback });
  };
  const found = await judged(text);
  const party = found.metadata.openid_relying_party;
  const federation = found.jwks.keys.map(({ kid }) => kid);
  const core = party.jwks.keys.map(({ kid }) => kid);
  if (core.some((kid) => federation.includes(kid))) throw new Error("the two kinds of keys are not kept apart");
  const chainsOf = (its) => {
    answer(text, type, its);
    return resolveTrustChains({ entityId: entity, trustAnchorEntityIds: [anchor], verifyJwtCallback });
  };
  const chains = await chainsOf(statements);
  if (chains.length !== 1) throw new Error(`${chains.length} chains lead to the anchor`);
  const resolved = chains[0].resolvedLeafMetadata || {};
  if ((resolved.openid_relying_party || {}).scope !== "openid") throw new Error("the policy is not applied");

  const [header, , signature] = text.split(".");
  const changed = Buffer.from(JSON.stringify({ ...claims, sub: `${entity}/other` })).toString("base64url");
  await refused("it was changed", judged([header, changed, signature].join(".")));
  await refused("the anchor allows no pairwise names", chainsOf(anchored(claims.jwks, "public")));
  console.log("accepted");
}

main().catch((fault) => {
  console.log(fault.stack || fault);
  process.exitCode = 1;
});
