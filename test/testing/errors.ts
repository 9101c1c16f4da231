import { IsolationError } from "aiocontext/testing"

/** What an isolation test found. */
export const errorOf = async (test: Promise<unknown>): Promise<IsolationError> => {
  const error = await test.then(() => undefined, (error: unknown) => error)
  if (!(error instanceof IsolationError)) {
    throw new Error(`the kit found nothing: ${String(error)}`)
  }
  return error
}
