// Asks for a URL with npm's own client, which pays for it: node pay.mjs URL PRIVATE_KEY [JSON]
import { ExactEvmScheme } from "@x402/evm";
import { decodePaymentResponseHeader, wrapFetchWithPaymentFromConfig } from "@x402/fetch";
import { privateKeyToAccount } from "viem/accounts";

const [url, key, body] = process.argv.slice(2);
const schemes = [{ network: "eip155:*", client: new ExactEvmScheme(privateKeyToAccount(key)) }];
const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes });
const headers = { "content-type": "application/json" };
const answer = await pay(url, body && { method: "POST", headers, body });
const header = answer.headers.get("PAYMENT-RESPONSE");
console.log(
  JSON.stringify({
    status: answer.status,
    body: await answer.json(),
    receipt: answer.headers.get("Receipt-Id"),
    payment: header && decodePaymentResponseHeader(header),
  }),
);
