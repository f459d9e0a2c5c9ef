// An identity provider with everything that SPID and CIE ask for and oidc-provider can do: node provider.cjs PLACE CALLBACK
//
// PLACE holds its certificate, provider.pem and provider-key.pem; the client's keys are written there. Prints
// "ready ISSUER", then a line for each event. A person signs in by a GET of the interaction with ?as=FISCAL-CODE&acr=LEVEL,
// or ends it with ?error=CODE; without any of them PERSON signs in, as ACR and ERROR say, if they are set.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const https = require("node:https");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

const [place, callback] = process.argv.slice(2);
const FISCAL_NUMBER = "https://attributes.eid.gov.it/fiscal_number";
const LEVELS = [1, 2, 3].map((level) => `https://www.spid.gov.it/SpidL${level}`);

/** The name of a key, RFC 7638. */
function thumbprint(jwk) {
  const members = Object.entries(jwk).filter(([name]) => ["e", "kty", "n", "crv", "x", "y"].includes(name));
  return crypto.createHash("sha256").update(JSON.stringify(Object.fromEntries(members.sort()))).digest("base64url");
}

/** A new key of the client, left as a file; its public part. */
function clientKey(file, pair, use, alg) {
  fs.writeFileSync(path.join(place, file), pair.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const jwk = pair.publicKey.export({ format: "jwk" });
  return { ...jwk, kid: thumbprint(jwk), use, alg };
}

const rsa = () => crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
const ALGORITHM = process.env.CLIENT_ALG === "ES256" ? "ES256" : "RS256";
const p256 = () => crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const signing = ALGORITHM === "ES256" ? p256() : rsa();
/** How this provider signs, and how it encrypts the key of what it says of people. */
const OWN_ALGORITHM = process.env.PROVIDER_ALG || "RS256";
const KEY_ALGORITHM = process.env.KEY || "RSA-OAEP-256";
const encryption = KEY_ALGORITHM === "ECDH-ES" ? p256() : rsa();

function settings() {
  const own = (OWN_ALGORITHM === "ES256" ? p256() : rsa()).privateKey.export({ format: "jwk" });
  return {
    clients: [
      {
        client_id: "https://sportello.example.it",
        redirect_uris: [callback],
        response_types: ["code"],
        grant_types: ["authorization_code"],
        subject_type: "pairwise",
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: ALGORITHM,
        request_object_signing_alg: ALGORITHM,
        id_token_signed_response_alg: OWN_ALGORITHM,
        userinfo_signed_response_alg: OWN_ALGORITHM,
        userinfo_encrypted_response_alg: KEY_ALGORITHM,
        userinfo_encrypted_response_enc: process.env.ENCRYPTION || "A256CBC-HS512",
        jwks: {
          keys: [
            clientKey("client-signing.pem", signing, "sig", ALGORITHM),
            clientKey("client-encryption.pem", encryption, "enc", KEY_ALGORITHM),
          ],
        },
      },
    ],
    jwks: { keys: [{ ...own, kid: "provider-1", use: "sig", alg: OWN_ALGORITHM }] },
    acrValues: LEVELS,
    subjectTypes: ["pairwise"],
    claims: { openid: ["sub"], acr: null, iss: null, auth_time: null, sid: null, [FISCAL_NUMBER]: null },
    enabledJWA: {
      idTokenSigningAlgValues: ["RS256", "RS512", "ES256", "PS256"],
      userinfoSigningAlgValues: ["RS256", "RS512", "ES256", "PS256"],
      userinfoEncryptionAlgValues: ["RSA-OAEP", "RSA-OAEP-256", "ECDH-ES"],
      userinfoEncryptionEncValues: ["A128CBC-HS256", "A256CBC-HS512"],
      requestObjectSigningAlgValues: ["RS256", "ES256"],
      clientAuthSigningAlgValues: ["RS256", "ES256"],
    },
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      encryption: { enabled: true },
      jwtUserinfo: { enabled: true },
      requestObjects: { enabled: true, requireSignedRequestObject: true },
      revocation: { enabled: true },
    },
    pkce: { required: () => true },
    pairwiseIdentifier: (_, accountId, client) =>
      crypto.createHash("sha256").update(`${client.clientId} ${accountId}`).digest("hex"),
    findAccount: (_, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, [FISCAL_NUMBER]: `TINIT-${accountId}` }),
    }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: [crypto.randomBytes(16).toString("hex")] },
  };
}

async function interact(provider, request, response) {
  const asked = new URL(request.url, "https://provider").searchParams;
  const details = await provider.interactionDetails(request, response);
  const { params } = details;
  const error = asked.get("error") || process.env.ERROR;
  if (error) {
    return provider.interactionFinished(request, response, { error, error_description: "as asked" });
  }
  const accountId = asked.get("as") || process.env.PERSON;
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope("openid");
  grant.addOIDCClaims([FISCAL_NUMBER]);
  const grantId = await grant.save();
  const acr = asked.get("acr") || process.env.ACR || params.acr_values;
  console.log(`asked ${JSON.stringify({ prompt: params.prompt, acr: params.acr_values, claims: params.claims })}`);
  return provider.interactionFinished(request, response, { login: { accountId, acr }, consent: { grantId } });
}

async function main() {
  const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));
  const server = https.createServer({
    cert: fs.readFileSync(path.join(place, "provider.pem")),
    key: fs.readFileSync(path.join(place, "provider-key.pem")),
  });
  server.listen(0, "127.0.0.1", () => {
    const issuer = `https://127.0.0.1:${server.address().port}`;
    const provider = new Provider(issuer, settings());
    provider.on("access_token.destroyed", () => console.log("revoked"));
    for (const event of ["authorization.error", "grant.error", "userinfo.error", "revocation.error", "server_error"]) {
      provider.on(event, (_, error) => console.log(`${event}: ${error.error} ${error.error_description || error}`));
    }
    const answer = provider.callback();
    server.on("request", (request, response) => {
      if (!request.url.startsWith("/interaction/")) return answer(request, response);
      return interact(provider, request, response).catch((error) => {
        console.log(`interaction: ${error.stack}`);
        response.writeHead(500).end();
      });
    });
    console.log(`ready ${issuer}`);
  });
}

main();
