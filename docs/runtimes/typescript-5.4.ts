// npm i effect@3.22.4 typescript@5.4 && npx tsc --strict --target es2022 --module nodenext typescript-5.4.ts
// => node_modules/effect/dist/dts/Schema.d.ts: error TS2315: Type 'Uint8Array' is not generic.
import { Schema } from "effect"
export const id = Schema.String
