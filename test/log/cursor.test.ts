/** Which cursors a log can be read after. */
import { describe, expect, it } from "vitest"
import { validateCursor } from "../../src/internal/log/events.js"

const head = { epoch: "now", seq: 9, tag: 90 }
const floor = { epoch: "now", seq: 4, tag: 40 }

const answer = (cursor: Partial<typeof head>) =>
  validateCursor({ epoch: "now", seq: 6, tag: 60, ...cursor }, { head, floor }, (seq) => seq * 10)?._tag

describe("a cursor", () => {
  it("is of the log's own history, from the floor to the head", () => {
    expect([answer({}), answer(floor), answer(head)]).toEqual([undefined, undefined, undefined])
  })

  it("below the floor is answered with what is removed", () => {
    expect(answer({ seq: 3, tag: 30 })).toBe("Compacted")
  })

  it("of another epoch is refused, whatever its number and tag", () => {
    expect(answer({ epoch: "before" })).toBe("EpochChanged")
    expect(answer({ ...floor, epoch: "before" })).toBe("EpochChanged")
  })

  it("that no revision of this history has is refused", () => {
    for (const seq of [10, -1, 5.5, Number.NaN]) expect(answer({ seq }), String(seq)).toBe("EpochChanged")
  })

  it("with the tag of another history is refused", () => {
    expect(answer({ tag: 61 })).toBe("EpochChanged")
    expect(answer({ ...floor, tag: 41 })).toBe("EpochChanged")
  })
})
