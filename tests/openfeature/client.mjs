// The stock Node client (one evaluation a call, no cache): what a service in JavaScript sees.
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const [url, token] = process.argv.slice(2);
await OpenFeature.setProviderAndWait(
  new OFREPProvider({ baseUrl: url, headers: [["Authorization", `Bearer ${token}`]] }),
);
const client = OpenFeature.getClient();
const short = ({ value, reason, variant, errorCode }) => ({ value, reason, variant, errorCode });

// A question a line on standard input, an answer a line on standard output.
let text = "";
for await (const piece of process.stdin) {
  text += piece;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
    const { flag, fallback, context } = JSON.parse(text.slice(0, end));
    text = text.slice(end + 1);
    const details =
      typeof fallback === "boolean"
        ? await client.getBooleanDetails(flag, fallback, context)
        : await client.getStringDetails(flag, fallback, context);
    console.log(JSON.stringify(short(details)));
  }
}
