/** Which entries of a tier are believed: only those that no known change can have outdated (rule 12). */
import { describe, expect, it } from "@effect/vitest"
import * as KeyJournal from "../../src/internal/cache/journal.js"
import * as TierEntry from "../../src/internal/liveTable/tierEntry.js"

const at = (seq: number, epoch = "now") => ({ epoch, seq, tag: seq })

/** A live table at revision 10 of its log, all of which is known from revision 4 on; `k1` has changed at 7. It is 100. */
const beliefs = (over: Partial<TierEntry.Beliefs> = {}, changes: Partial<TierEntry.KnownChanges> = {}) => ({
  life: "own",
  prefix: "keys/",
  changes: {
    isTrusted: () => true,
    position: () => at(10),
    knownFrom: () => 4,
    lastChangeOf: (key: string) => (key === "keys/k1" ? 7 : undefined),
    currentAt: () => 90,
    ...changes
  },
  now: () => 100,
  changedRows: KeyJournal.make<string>(100),
  expiredRows: KeyJournal.make<string>(100),
  outdatedUpTo: () => 0,
  ownOutdatedUpTo: 0,
  bars: new Map<string, TierEntry.Bar>(),
  bar: undefined,
  ...over
})

const entry = (over: Partial<TierEntry.TierEntry> = {}): TierEntry.TierEntry => ({
  row: {},
  revision: at(8),
  life: "another",
  stamp: 5,
  askedAt: 0,
  ...over
})

const believed = (own: TierEntry.Beliefs, given = entry(), id = "k1") => TierEntry.isValid(own, id, id, given)

describe("an entry of another life", () => {
  it("is believed if the key has not changed since its revision", () => {
    expect(believed(beliefs())).toBe(true)
    expect(believed(beliefs(), entry({ revision: at(7) }))).toBe(true)
    expect(believed(beliefs(), entry({ revision: at(6) }))).toBe(false)
    expect(believed(beliefs(), entry({ revision: at(6) }), "k2")).toBe(true)
  })

  it("is not believed if its epoch is another one", () => {
    expect(believed(beliefs(), entry({ revision: at(8, "before") }))).toBe(false)
  })

  it("is not believed from before what is known of the changes", () => {
    expect(believed(beliefs(), entry({ revision: at(4) }), "k2")).toBe(true)
    expect(believed(beliefs(), entry({ revision: at(3) }), "k2")).toBe(false)
  })

  it("is not believed without a revision, a log, or trust in what is followed", () => {
    expect(believed(beliefs(), entry({ revision: undefined }))).toBe(false)
    expect(believed(beliefs({ changes: undefined }))).toBe(false)
    expect(believed(beliefs({}, { isTrusted: () => false }))).toBe(false)
    expect(believed(beliefs({}, { position: () => undefined }))).toBe(false)
  })

  it("is not believed before an own write that the log has not delivered", () => {
    const own = beliefs()
    TierEntry.noteChange(own, "k1", at(11))
    expect(believed(own)).toBe(false)
    expect(believed(own, entry({ revision: at(8) }), "k2")).toBe(true)
    expect(believed(own, entry({ revision: at(11) }))).toBe(true)
    TierEntry.noteDelivered(own, "k1", at(11))
    expect(believed(own)).toBe(true)
  })

  it("is not believed before an own write when the log delivers an earlier change of the row", () => {
    const own = beliefs()
    TierEntry.noteChange(own, "k1", at(11))
    TierEntry.noteDelivered(own, "k1", at(10))
    expect(believed(own, entry({ revision: at(10) }))).toBe(false)
    TierEntry.noteDelivered(own, "k1", at(12, "before"))
    expect(believed(own, entry({ revision: at(10) }))).toBe(false)
    TierEntry.noteDelivered(own, "k1", at(11))
    expect(believed(own, entry({ revision: at(10) }))).toBe(true)
  })

  it("is not believed before a change without a revision, until one of after the log of its end", () => {
    for (const until of [undefined, 150]) {
      let currentAt = 100
      let position = at(10)
      const own = beliefs({}, { currentAt: () => currentAt, position: () => position })
      TierEntry.noteChange(own, "k1", undefined, until)
      currentAt = until ?? 100
      TierEntry.noteDelivered(own, "k1", at(10))
      expect(believed(own, entry({ revision: at(10) }))).toBe(false)
      expect(believed(own, entry({ revision: at(11) }))).toBe(false)
      // Now everything that was there at its end is known: up to the position.
      currentAt++
      expect(believed(own, entry({ revision: at(10) }))).toBe(false)
      expect(believed(own, entry({ revision: at(10) }), "k2")).toBe(true)
      position = at(12)
      expect(believed(own, entry({ revision: at(11) }))).toBe(true)
    }
  })

  it("is not believed before an invalidation of anything, until one of after the log of its end", () => {
    let currentAt = 90
    const own = beliefs({}, { currentAt: () => currentAt })
    TierEntry.outdateOthers(own, 150)
    TierEntry.outdateOthers(own)
    for (currentAt of [90, 101, 150]) expect(believed(own, entry({ revision: at(11) }))).toBe(false)
    currentAt = 151
    expect(believed(own, entry({ revision: at(10) }))).toBe(false)
    expect(believed(own, entry({ revision: at(11) }))).toBe(true)
    TierEntry.outdateOthers(own, 200)
    expect(believed(own, entry({ revision: at(11) }))).toBe(false)
  })

  it("is not believed while so many rows have changed that they are not known one by one", () => {
    let currentAt = 100
    const own = beliefs({}, { currentAt: () => currentAt })
    for (let n = 0; n <= 10_000; n++) TierEntry.noteChange(own, `w${n}`, at(11))
    expect(own.bars.size).toBe(0)
    expect(believed(own)).toBe(false)
    currentAt = 101
    expect(believed(own)).toBe(false)
    expect(believed(own, entry({ revision: at(11) }))).toBe(true)
  })
})

describe("an entry of this life", () => {
  const own = entry({ life: "own", revision: undefined, stamp: 5 })

  it("is believed by its stamp alone: no later change of its row, and none of all rows", () => {
    expect(believed(beliefs(), own)).toBe(true)
    expect(believed(beliefs({ outdatedUpTo: () => 5 }), own)).toBe(false)
    const changed = beliefs()
    KeyJournal.note(changed.changedRows, "k1", 6)
    expect(believed(changed, own)).toBe(false)
    expect(believed(changed, own, "k2")).toBe(true)
    expect(believed(changed, entry({ life: "own", stamp: 7 }))).toBe(true)
  })

  it("is not believed from before the end of its row's freshness, nor from before that of a tag", () => {
    const expired = beliefs()
    KeyJournal.note(expired.expiredRows, "k1", 6)
    expect(believed(expired, own)).toBe(false)
    expect(believed(expired, own, "k2")).toBe(true)
    TierEntry.outdateOwn(expired, 5)
    expect(believed(expired, own, "k2")).toBe(false)
    expect(believed(expired, entry({ life: "own", stamp: 7 }))).toBe(true)
  })
})
