// npm i effect@3.22.4 typescript@5.4
// npx tsc --noEmit --strict --target es2022 --module nodenext typescript-5.4.ts
// => node_modules/effect/dist/dts/Schema.d.ts: error TS2315: Type 'Uint8Array' is not generic.
// => node_modules/effect/dist/dts/Utils.d.ts: error TS2314: Generic type 'IterableIterator<T>' requires 1 type argument(s).
import "effect"
