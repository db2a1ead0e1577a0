/** Operations that are shown before they are confirmed: what goes from a view, and when. */
import { describe, expect, it } from "@effect/vitest"
import * as Pending from "../../src/internal/pending.js"

interface Fields {
  readonly [field: string]: number
}

const apply = (base: Fields, op: Fields): Fields => ({ ...base, ...op })

const empty: Pending.Pending<string, Fields> = Pending.empty

/** `a` sets x, `b` sets x and y, `c` sets z. */
const three = () =>
  Pending.stage(Pending.stage(Pending.stage(empty, "a", { x: 1 }), "b", { x: 2, y: 2 }), "c", {
    z: 3
  })

const shown = (pending: Pending.Pending<string, Fields>, base: Fields = {}, stamp = 0) =>
  Pending.view(pending, base, stamp, apply)

describe("staged operations", () => {
  it("are applied in order, and leave the base as it is", () => {
    const base = Object.freeze({ x: 0, w: 0 })
    expect(shown(three(), base)).toEqual({ x: 2, y: 2, z: 3, w: 0 })
    expect(base).toEqual({ x: 0, w: 0 })
  })

  it("are reverted alone: those before and after stay, field by field", () => {
    expect(shown(Pending.revert(three(), "a"), { x: 0 })).toEqual({ x: 2, y: 2, z: 3 })
    expect(shown(Pending.revert(three(), "b"), { x: 0, y: 0 })).toEqual({ x: 1, y: 0, z: 3 })
    expect(Pending.isPending(Pending.revert(three(), "b"), "b")).toBe(false)
  })

  it("move with the base, which others change", () => {
    const reverted = Pending.revert(three(), "b")
    expect(shown(reverted, { x: 7, y: 8 })).toEqual({ x: 1, y: 8, z: 3 })
  })

  it("that are confirmed stay in the views of older bases, and go from those of newer ones", () => {
    const confirmed = Pending.confirm(Pending.stage(empty, "a", { x: 1 }), "a", {
      stamp: 5,
      op: { x: 1, id: 9 }
    })
    expect(Pending.isPending(confirmed, "a")).toBe(false)
    expect(shown(confirmed, { x: 0 }, 4)).toEqual({ x: 1, id: 9 })
    expect(shown(confirmed, { x: 3, id: 9 }, 5)).toEqual({ x: 3, id: 9 })
  })

  it("that are confirmed lie below all that are pending, in the order of their confirmations", () => {
    const first = Pending.confirm(three(), "b", { stamp: 5, op: { x: 2, y: 2 } })
    expect(shown(first)).toEqual({ x: 1, y: 2, z: 3 })
    const second = Pending.confirm(first, "a", { stamp: 6, op: { x: 1 } })
    expect(shown(second)).toEqual({ x: 1, y: 2, z: 3 })
    expect(shown(second, { x: 2, y: 2 }, 5)).toEqual({ x: 1, y: 2, z: 3 })
  })

  it("are confirmed once, and not after they were reverted", () => {
    const reverted = Pending.revert(three(), "c")
    expect(Pending.confirm(reverted, "c", { stamp: 5, op: { z: 9 } })).toBe(reverted)
  })

  it("are forgotten when every base in use holds them", () => {
    const both = Pending.confirm(Pending.confirm(three(), "a", { stamp: 5, op: { x: 1 } }), "b", {
      stamp: 6,
      op: { y: 2 }
    })
    expect(Pending.release(both, 4).confirmed).toHaveLength(2)
    expect(Pending.release(both, 5).confirmed).toEqual([{ stamp: 6, op: { y: 2 } }])
    expect(Pending.release(both, 6)).toEqual({ confirmed: [], staged: [{ key: "c", op: { z: 3 } }] })
  })
})
