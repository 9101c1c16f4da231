/**
 * A `fetch` that follows redirects itself, so that each request on the way gets the headers that are for its server.
 *
 * The rules are those of the standard for method, body and credentials (https://fetch.spec.whatwg.org/#http-redirect-fetch).
 * A browser does not tell where a redirect leads: there the last request is made again, with what anybody may have.
 */

/** The headers that a request gets, given its URL and those that it has. */
export type Additions = (url: URL, headers: Headers) => { readonly [name: string]: string }

type Fetch = typeof globalThis.fetch

interface Step {
  readonly url: URL
  readonly method: string
  /** Those that the caller set. */
  readonly headers: Headers
  readonly body: RequestInit["body"]
}

const maxRedirects = 20

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status)

const without = (headers: Headers, names: ReadonlyArray<string>): Headers => {
  const copy = new Headers(headers)
  for (const name of names) {
    copy.delete(name)
  }
  return copy
}

const next = ({ body, headers, method, url }: Step, status: number, location: string): Step => {
  const target = new URL(location, url)
  target.hash ||= url.hash
  if (target.protocol !== "http:" && target.protocol !== "https:") {
    throw new TypeError("fetch failed: a redirect to what is not HTTP")
  }
  const becomesGet = status === 303 ? method !== "GET" && method !== "HEAD" : status < 303 && method === "POST"
  if (!becomesGet && body instanceof ReadableStream) {
    throw new TypeError("fetch failed: a redirect of a request whose body was a stream")
  }
  const credentials = target.origin === url.origin ? [] : ["authorization", "proxy-authorization", "cookie", "host"]
  const content = ["encoding", "language", "location", "type", "length"].map((name) => `content-${name}`)
  return {
    url: target,
    method: becomesGet ? "GET" : method,
    headers: without(headers, becomesGet ? [...credentials, ...content] : credentials),
    body: becomesGet ? undefined : body
  }
}

/** What a `Request` asks for, as the second argument of `fetch`. */
const initOf = async (request: Request): Promise<RequestInit> => ({
  method: request.method,
  headers: request.headers,
  signal: request.signal,
  redirect: request.redirect,
  cache: request.cache,
  credentials: request.credentials,
  integrity: request.integrity,
  keepalive: request.keepalive,
  mode: request.mode,
  referrerPolicy: request.referrerPolicy,
  // whole, so that it can be sent again
  ...request.body ? { body: await request.blob() } : {}
})

/** Makes such a `fetch` of another one. `added` gives the headers for each request, `anybody` those for whoever it is. */
export const follow = (fetch: Fetch, added: Additions, anybody: Additions): Fetch => async (input, init) => {
  const options: RequestInit = { ...input instanceof Request ? await initOf(input) : {}, ...init }
  const { redirect = "follow" } = options

  const send = (step: Step, additions: Additions, redirect: RequestRedirect): Promise<Response> => {
    const headers = new Headers(step.headers)
    for (const [name, text] of Object.entries(additions(step.url, step.headers))) {
      headers.set(name, text)
    }
    return fetch(step.url, { ...options, method: step.method, headers, body: step.body ?? null, redirect })
  }

  let step: Step = {
    url: new URL(input instanceof Request ? input.url : input, globalThis.location?.href),
    method: (options.method ?? "GET").toUpperCase(),
    headers: new Headers(options.headers),
    body: options.body
  }
  if (redirect !== "follow") {
    return send(step, added, redirect)
  }
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await send(step, added, "manual")
    if (response.type === "opaqueredirect") {
      return send(step, anybody, "follow")
    }
    const location = isRedirect(response.status) ? response.headers.get("location") : null
    if (location === null) {
      return redirects === 0 ? response : Object.defineProperty(response, "redirected", { value: true })
    }
    await response.body?.cancel()
    step = next(step, response.status, location)
  }
  throw new TypeError("fetch failed: too many redirects")
}
