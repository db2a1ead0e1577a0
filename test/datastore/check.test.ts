import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { ownJson, validateJson } from "../../src/internal/columns/jsonData.js"
import { checkSteps } from "../../src/internal/datastore/check.js"
import type { Step } from "../../src/internal/datastore/operation.js"

const limits = { primary: "id", maxKeyBytes: 100, maxDepth: 100 }

const reasonOf = (step: unknown): string => {
  const checked = checkSteps([step as Step<unknown>], limits)
  return Either.isLeft(checked) ? checked.left.reason : "taken"
}

describe("steps at the boundary", () => {
  it("refuses a step whose getters throw, and does not throw itself", () => {
    for (const name of ["_tag", "expect", "key"]) {
      const step = { _tag: "Delete", key: "a" }
      Object.defineProperty(step, name, {
        get: () => {
          throw new Error("unreadable")
        }
      })
      expect(reasonOf(step)).toBe("InvalidOperation")
    }
  })

  it("takes what a getter answers first", () => {
    const twice = (first: unknown, second: unknown) => {
      let asked = 0
      return { get: () => (asked++ === 0 ? first : second) }
    }
    for (const _tag of ["Patch", "Delete"]) {
      const step = { _tag }
      Object.defineProperty(step, "key", twice("a", 5))
      Object.defineProperty(step, "expect", twice(1, {}))
      Object.defineProperty(step, "unset", twice(["text"], ["id"]))
      const checked = checkSteps([step as unknown as Step<unknown>], limits)
      const taken = _tag === "Patch" ? { key: "a", expect: 1, unset: ["text"] } : { key: "a", expect: 1 }
      expect(Either.getOrThrow(checked).steps).toMatchObject([taken])
    }
  })

  it("refuses data that contains itself several times, at once", () => {
    const data: Record<string, unknown> = { id: "a" }
    data.left = data
    data.right = data
    expect(reasonOf({ _tag: "Set", data })).toBe("InvalidData")
  })

  it("names the same first rule as the check without a copy", () => {
    for (const value of [{ "\0": Number.NaN }, { "\ud800": "\0" }, [Number.NaN, "\0"]]) {
      expect(ownJson(value)).toBe(validateJson(value, 0))
    }
  })
})
