// The stock web client (all flags at once, polled with an ETag, answered from its cache): what a page
// or an app sees. Node has no page: what it keeps between visits is switched off.
import { OpenFeature } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

const [url, token] = process.argv.slice(2);
const seen = { full: 0, unchanged: 0, failed: 0 };
const provider = new OFREPWebProvider({
  baseUrl: url,
  headers: [["Authorization", `Bearer ${token}`]],
  pollInterval: 50,
  cacheMode: "disabled",
  fetchImplementation: async (...asked) => {
    try {
      const answer = await fetch(...asked);
      seen[{ 200: "full", 304: "unchanged" }[answer.status] ?? "failed"] += 1;
      return answer;
    } catch (error) {
      seen.failed += 1;
      throw error;
    }
  },
});
await OpenFeature.setContext({ targetingKey: "d-0" });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const short = ({ value, reason, variant, errorCode }) => ({ value, reason, variant, errorCode });

// A question a line on standard input, an answer a line on standard output.
let text = "";
for await (const piece of process.stdin) {
  text += piece;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
    const { flag, fallback, context } = JSON.parse(text.slice(0, end));
    text = text.slice(end + 1);
    if (flag === "") {
      console.log(JSON.stringify(seen));
      continue;
    }
    if (context.targetingKey !== undefined) await OpenFeature.setContext(context);
    const details =
      typeof fallback === "boolean"
        ? client.getBooleanDetails(flag, fallback)
        : client.getStringDetails(flag, fallback);
    console.log(JSON.stringify(short(details)));
  }
}
