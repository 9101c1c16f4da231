/**
 * What the JavaScript engine tells its debugger, and Node a process on its own behalf: where functions begin, where
 * suspended generators stand, and what a function has in its scope.
 */
import type { Session } from "node:inspector"

/** Code as it runs. */
export interface Script {
  readonly scriptId: string
  readonly url: string
  readonly sourceMapURL?: string | undefined
}

/** A place in the code as it runs. */
export interface Place {
  readonly script: Script
  readonly line: number
  readonly column: number
}

interface Property {
  readonly name: string
  readonly value?: { readonly objectId?: string; readonly description?: string; readonly value?: unknown }
}

interface Location {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber: number
}

const held: unique symbol = Symbol.for("aiocontext/held")

/** The debugger of this very process, for the places of functions and generators. */
export class Debugger {
  private readonly scripts = new Map<string, Script>()
  private readonly sources = new Map<string, ReadonlyArray<string>>()
  constructor(private readonly session: Session) {
    session.connect()
    session.on("Debugger.scriptParsed", ({ params }) => void this.scripts.set(params.scriptId, params))
    session.post("Debugger.enable")
  }

  close(): void {
    this.session.disconnect()
  }

  private post(method: string, params: object): any {
    let result: unknown
    this.session.post(method, params, (_error, answer) => void (result = answer))
    return result
  }

  private internal(objectId: string, name: RegExp): Property["value"] {
    const { internalProperties = [] }: { readonly internalProperties?: ReadonlyArray<Property> } = this.post(
      "Runtime.getProperties",
      { objectId, ownProperties: true }
    )
    return internalProperties.find((property) => name.test(property.name))?.value
  }

  private hold(value: unknown): string | undefined {
    Reflect.set(globalThis, held, value)
    const { result } = this.post("Runtime.evaluate", { expression: "globalThis[Symbol.for('aiocontext/held')]" })
    Reflect.deleteProperty(globalThis, held)
    return result.objectId
  }

  private placeOf(objectId: string): Place | undefined {
    const location = this.internal(objectId, /^\[\[(Function|Generator)Location\]\]$/)?.value as Location | undefined
    const script = location && this.scripts.get(location.scriptId)
    return script && { script, line: location.lineNumber, column: location.columnNumber }
  }

  /** Where a function begins, or a generator is suspended. */
  place(value: unknown): Place | undefined {
    const objectId = this.hold(value)
    return objectId === undefined ? undefined : this.placeOf(objectId)
  }

  /** Where a function begins that another one has in its scope under one of these names. */
  placeInScope(value: unknown, names: ReadonlyArray<string>): Place | undefined {
    const objectId = this.hold(value)
    const scopes = objectId && this.internal(objectId, /^\[\[Scopes\]\]$/)?.objectId
    for (const scope of scopes ? this.properties(scopes) : []) {
      const closure = /^(Block|Closure)/.test(scope.value?.description ?? "") ? scope.value?.objectId : undefined
      const found = closure && this.properties(closure).find(({ name }) => names.includes(name))?.value?.objectId
      if (found) {
        return this.placeOf(found)
      }
    }
    return undefined
  }

  private properties(objectId: string): ReadonlyArray<Property> {
    return this.post("Runtime.getProperties", { objectId, ownProperties: true }).result
  }

  /** The declaration of a module that a place is in. */
  declarationOf({ line, script: { scriptId } }: Place): string {
    let lines = this.sources.get(scriptId)
    if (lines === undefined) {
      lines = String(this.post("Debugger.getScriptSource", { scriptId }).scriptSource).split("\n")
      this.sources.set(scriptId, lines)
    }
    const declaration = /^(?:export )?(?:const|class|function) (\w+)/
    return declaration.exec(lines.slice(0, line + 1).findLast((text) => declaration.test(text)) ?? "")?.[1] ?? ""
  }
}
