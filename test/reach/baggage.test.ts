import { describe, expect, it } from "@effect/vitest"
import * as Baggage from "aiocontext/Baggage"

const values = (header: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  Baggage.parse(header).map(({ key, value }) => `${key}=${value}`)

describe("a header is read as the specification says", () => {
  it("white space is optional everywhere", () => {
    expect(values("a=1,b=2")).toEqual(["a=1", "b=2"])
    expect(values(" \ta \t=\t 1\t , \t b\t=\t2 ")).toEqual(["a=1", "b=2"])
  })
  it("a value may have = in it", () => {
    expect(values("a=b=c==")).toEqual(["a=b=c=="])
  })
  it("an empty value is a value", () => {
    expect(values("a=,b= ;p")).toEqual(["a=", "b="])
  })
  it("names are case-sensitive", () => {
    expect(values("User=1,user=2")).toEqual(["User=1", "user=2"])
  })
  it("names are never decoded", () => {
    expect(values("a%20b=1")).toEqual(["a%20b=1"])
  })
  it("a value's bytes are UTF-8, percent-encoded", () => {
    expect(values("a=%F0%9F%98%80%20%c3%a9,b=%41")).toEqual(["a=😀 é", "b=A"])
  })
  it("a byte order mark is a character", () => {
    expect(values("a=%EF%BB%BFx,b=%EF%BB%BF%ff")).toEqual(["a=\uFEFFx", "b=\uFEFF\uFFFD"])
  })
  it("bytes that are no UTF-8 become U+FFFD", () => {
    expect(values("a=%ffx,b=%C3,c=%ED%A0%80")).toEqual(["a=\uFFFDx", "b=\uFFFD", "c=\uFFFD\uFFFD\uFFFD"])
  })
  it("a % that encodes nothing is kept", () => {
    expect(values("a=%zz,b=100%,c=%4,d=%ff%zz%41")).toEqual(["a=%zz", "b=100%", "c=%4", "d=\uFFFD%zzA"])
  })
  it("a + is a +", () => {
    expect(values("a=b+c")).toEqual(["a=b+c"])
  })
  it("properties are kept verbatim", () => {
    expect(Baggage.parse("a=1 ; p1=%20;p2 , b=2;")).toEqual([
      { key: "a", value: "1", properties: " p1=%20;p2" },
      { key: "b", value: "2" }
    ])
  })
  it("several headers count as one", () => {
    expect(values(["a=1", "", "b=2,c=3"])).toEqual(["a=1", "b=2", "c=3"])
    expect(values([])).toEqual([])
  })
  it("of members with one name the last counts", () => {
    expect(values(["a=1,b=2", "a=3"])).toEqual(["a=3", "b=2"])
  })
  it("what is no member is skipped", () => {
    expect(values("a,=1,;p=1,a b=1,é=1,(=1,,ok=1, ,")).toEqual(["ok=1"])
  })
  it("a name may be one of an object's", () => {
    expect(values("__proto__=1,constructor=2,toString=3")).toEqual(["__proto__=1", "constructor=2", "toString=3"])
    expect(Object.keys({})).toEqual([])
  })
})

describe("a header's limits", () => {
  it("are 180 members and 8192 bytes", () => {
    expect([Baggage.maxMembers, Baggage.maxBytes]).toEqual([180, 8192])
  })
  it("the first 180 members count", () => {
    const header = Array.from({ length: 200 }, (_, i) => `k${i}=1`).join(",")
    expect(Baggage.parse(header).map(({ key }) => key)).toEqual(Array.from({ length: 180 }, (_, i) => `k${i}`))
  })
  it("one member of 8192 bytes passes, one of 8193 does not", () => {
    expect(Baggage.parse(`a=${"x".repeat(8190)}`)).toHaveLength(1)
    expect(Baggage.parse(`a=${"x".repeat(8191)}`)).toHaveLength(0)
  })
  it("bytes are those of UTF-8", () => {
    expect(Baggage.parse(`a=${"é".repeat(4095)}`)).toHaveLength(1)
    expect(Baggage.parse(`a=${"é".repeat(4096)}`)).toHaveLength(0)
  })
  it("a member that does not fit is left out whole, and the next one that does is not", () => {
    const [first, second] = [`a=${"x".repeat(5000)}`, `b=${"x".repeat(5000)}`]
    expect(Baggage.parse([first, second, "c=1"]).map(({ key }) => key)).toEqual(["a", "c"])
  })
  it("512 members are tried", () => {
    expect(values(`${",".repeat(511)}a=1`)).toEqual(["a=1"])
    expect(values(`${",".repeat(512)}a=1`)).toEqual([])
  })
})

describe("a header is written", () => {
  it("percent-encoded, but for what the specification allows bare", () => {
    const bare = "!#$&'()*+-./0189:<=>?@AZ[]^_`az{|}~"
    expect(Baggage.format([{ key: "a", value: bare }])).toBe(`a=${bare}`)
    expect(Baggage.format([{ key: "a", value: " \",;\\%\u0000\r\n\u007fé😀" }])).toBe(
      "a=%20%22%2C%3B%5C%25%00%0D%0A%7F%C3%A9%F0%9F%98%80"
    )
  })
  it("with properties as they are", () => {
    expect(Baggage.format(Baggage.parse("a=1; p=%20;q,b=2"))).toBe("a=1; p=%20;q,b=2")
  })
  it("without properties that would break it", () => {
    expect(Baggage.format([{ key: "a", value: "1", properties: "p,evil=1" }])).toBe("a=1")
    expect(Baggage.format([{ key: "a", value: "1", properties: "p\r\nx: y" }])).toBe("a=1")
  })
  it("without members whose name is no token", () => {
    expect(Baggage.format([{ key: "", value: "1" }, { key: "a b", value: "1" }, { key: "c", value: "1" }])).toBe("c=1")
  })
  it("with half a surrogate pair as U+FFFD", () => {
    expect(Baggage.format([{ key: "a", value: "\ud800x\udc00" }])).toBe("a=%EF%BF%BDx%EF%BF%BD")
  })
  it("up to its limits, in whole members", () => {
    const many = Array.from({ length: 200 }, (_, i) => ({ key: `k${i}`, value: "1" }))
    expect(Baggage.parse(Baggage.format(many))).toEqual(many.slice(0, 180))
    const long = "x".repeat(5000)
    expect(Baggage.format([{ key: "a", value: long }, { key: "b", value: long }, { key: "c", value: "1" }])).toBe(
      `a=${long},c=1`
    )
    expect(Baggage.format([{ key: "a", value: "x".repeat(8190) }])).toHaveLength(8192)
  })
})

/** Texts of pieces that mean something in a header, the same ones in each run. */
const texts = (pieces: ReadonlyArray<string>, most: number) => {
  let state = 42
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * limit)
  }
  return (): string => Array.from({ length: below(most) }, () => pieces[below(pieces.length)]).join("")
}

describe("any text", () => {
  const pieces = [
    "a",
    "B",
    "=",
    ",",
    ";",
    " ",
    "\t",
    "%",
    "%41",
    "%ff",
    "%zz",
    "é",
    "😀",
    "\ud800",
    "\u0000",
    "__proto__"
  ]
  it("is read without an error, a million times", () => {
    const next = texts(pieces, 24)
    for (let i = 0; i < 1_000_000; i++) {
      Baggage.parse(next())
    }
  })
  it("is a value that is written and read again", () => {
    const next = texts(pieces.filter((piece) => piece !== "\ud800"), 24)
    for (let i = 0; i < 20_000; i++) {
      const members = [{ key: "a", value: next() }, { key: "b", value: next() }]
      expect(Baggage.parse(Baggage.format(members))).toEqual(members)
    }
  })
})

describe("a hostile header of 8 KiB takes no time", () => {
  const fill = (piece: string): string => piece.repeat(Math.ceil(8192 / piece.length)).slice(0, 8192)
  const hostile = [
    ",",
    ";",
    "=",
    " ",
    "%",
    "%f",
    "%ff",
    "a=,",
    "a=%ff,",
    "a;",
    "é",
    "a=\ud800",
    "\t,",
    "a = ; ,",
    `a${fill(" ")}`
  ]
  for (const piece of hostile) {
    it(`of ${JSON.stringify(piece.slice(0, 12))}`, () => {
      // twice as much takes about twice as long; what is quadratic takes minutes here
      for (const header of [fill(piece), fill(piece).repeat(128)]) {
        const start = performance.now()
        Baggage.parse(header)
        Baggage.parse(`a=${header}`)
        expect(performance.now() - start).toBeLessThan(2000)
      }
    })
  }
})
