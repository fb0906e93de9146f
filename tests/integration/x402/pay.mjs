// Asks for a URL with npm's own client, which pays for it: node pay.mjs URL PRIVATE_KEY
import { ExactEvmScheme } from "@x402/evm";
import { decodePaymentResponseHeader, wrapFetchWithPaymentFromConfig } from "@x402/fetch";
import { privateKeyToAccount } from "viem/accounts";

const [url, key] = process.argv.slice(2);
const schemes = [{ network: "eip155:*", client: new ExactEvmScheme(privateKeyToAccount(key)) }];
const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes });
const answer = await pay(url);
const header = answer.headers.get("PAYMENT-RESPONSE");
console.log(
  JSON.stringify({
    status: answer.status,
    body: await answer.json(),
    payment: header && decodePaymentResponseHeader(header),
  }),
);
