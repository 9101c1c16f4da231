/**
 * docs/libraries.md.
 */
import type { Finished } from "./report.js"
import { heads, pageNotes, pageRow } from "./report.js"
import { requests } from "./run-scenario.js"

export const pageOf = (finished: ReadonlyArray<Finished>): string =>
  `---
title: Libraries
---

<!-- written by \`npm run docs:libraries\` -->

# Libraries

What becomes of a request's id in the libraries that people run. \`npm run test:integration\` makes ${requests} requests at once
for each, of a real server where the library is a client of one, and looks for the id before and after every \`await\`, in every
callback and in every event. It fails where a result is another one than this page says. The programs are in \`integration/scenarios\`.

- **Bare**: promise code, inside \`storage.run(id, …)\`.
- **Effect alone**: the same with \`Effect.runPromise\` inside. Each request does its work twice, and waits in between until
  another one lets it on. In the other columns this makes no difference, so that only Effect alone has a second one.
- **With the bridge**: the same under \`compat.layer\`; the storage and the context's map both have to have the id.

*Lost* means that there was no id, *mixed* that there was one of another request. A cell names the places; all others of its
library were kept. A cell of one word is about all places.

| library | versions | ${heads.join(" | ")} |
| --- | --- | --- | --- | --- | --- |
${finished.map(pageRow).join("\n")}

## Why, and the line that mends it

Effect alone mixes nearly all of what follows a wake-up: a fiber goes on in the async context of whoever woke it. The rest
has reasons of its own. Where the bridge does not keep a value, no way of these does: Node itself has lost it by then, and the line
named here keeps it, which the same program checks.

${finished.flatMap(pageNotes).join("\n")}
`
