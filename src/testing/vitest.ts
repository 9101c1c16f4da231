/**
 * Isolation tests as vitest has tests: `it.isolated(name, subject, options)`.
 *
 * @since 1.0.0
 * @module
 */
import { it as base } from "vitest"
import { testAt } from "./kit/isolation.js"
import type { IsolationOptions } from "./kit/options.js"
import type { AnyRequest, DefaultValues, RequestName, Subject } from "./kit/request.js"
import { callSite } from "./trace/stack.js"

/**
 * Makes a test of a subject. It has no time limit of vitest's: each of its runs has one of its own.
 *
 * @since 1.0.0
 * @category models
 */
export interface IsolatedTest {
  <Self = never, ROut = never>(
    name: string,
    subject: Subject<DefaultValues, Self | ROut>,
    options?: IsolationOptions<Self, DefaultValues, ROut>
  ): void
  <Values extends object, Self = never, ROut = never>(
    name: string,
    subject: Subject<Values, Self | ROut>,
    options: IsolationOptions<Self, Values, ROut> & { readonly values: (request: RequestName) => Values }
  ): void
}

type Define = (name: string, options: { readonly timeout: number }, test: () => Promise<void>) => void

const isolatedBy =
  (define: Define): IsolatedTest =>
  (name: string, subject: (request: AnyRequest) => unknown, options?: IsolationOptions<any, any, any>): void => {
    const site = callSite()
    define(name, { timeout: 0 }, async () => {
      await testAt(site, subject, options)
    })
  }

/**
 * The tests of vitest, with {@link IsolatedTest} beside them.
 *
 * @since 1.0.0
 * @category testing
 */
export const it: typeof base & {
  readonly isolated: IsolatedTest & { readonly only: IsolatedTest; readonly skip: IsolatedTest }
} = Object.assign(base, {
  isolated: Object.assign(isolatedBy(base), { only: isolatedBy(base.only), skip: isolatedBy(base.skip) })
})
