/** Intervals in which items were given up: dropped by a bound's policy, or released from memory. */

/**
 * An interval in which items were dropped by the bound's policy (`drop-newest`, `drop-oldest`), or in which records
 * that had been set aside were released from memory (`released`). Times are milliseconds since the epoch.
 */
export interface GapNote {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly reason: "drop-newest" | "drop-oldest" | "released"
}

/** So many gap notes are kept. */
export const maxGaps = 100

/** Gap notes of one kind; the last ones are kept. */
export interface Gaps {
  readonly closed: Array<GapNote>
  open: { from: number; to: number; count: number; reason: GapNote["reason"] } | undefined
}

export const noGaps = (): Gaps => ({ closed: [], open: undefined })

/** Notes one drop; true when it begins an interval. */
export const noteDrop = (gaps: Gaps, reason: GapNote["reason"], now: number): boolean => {
  if (gaps.open !== undefined) {
    gaps.open.count++
    gaps.open.to = now
    return false
  }
  gaps.open = { from: now, to: now, count: 1, reason }
  return true
}

export const closeGap = (gaps: Gaps): void => {
  if (gaps.open === undefined) return
  gaps.closed.push(gaps.open)
  gaps.open = undefined
  if (gaps.closed.length > maxGaps) gaps.closed.shift()
}

export const gapNotes = (gaps: Gaps): ReadonlyArray<GapNote> => {
  const notes = gaps.open === undefined ? [...gaps.closed] : [...gaps.closed, { ...gaps.open }]
  return notes.slice(-maxGaps)
}

/** The intervals in which items were released. */
export interface Releases {
  readonly gaps: Gaps
  /** When the last item was released, in monotonic milliseconds. */
  last: number
}

export const noReleases = (): Releases => ({ gaps: noGaps(), last: 0 })

/** After so many milliseconds without a release the interval is over; the next release finds that out. */
export const quietMillis = 60_000

/** Notes the release of one item; true when it begins an interval. */
export const noteRelease = (releases: Releases, wall: number, monotonic: number): boolean => {
  if (monotonic - releases.last >= quietMillis) closeGap(releases.gaps)
  releases.last = monotonic
  return noteDrop(releases.gaps, "released", wall)
}

/** The notes of both kinds, merged. Each kind keeps its order, whatever was done to the wall clock meanwhile. */
export const mergedNotes = (dropped: Gaps, released: Gaps): ReadonlyArray<GapNote> => {
  const drops = gapNotes(dropped)
  const releases = gapNotes(released)
  if (releases.length === 0) return drops
  const all: Array<GapNote> = []
  let next = 0
  for (const release of releases) {
    for (let drop = drops[next]; drop !== undefined && drop.from <= release.from; drop = drops[++next]) {
      all.push(drop)
    }
    all.push(release)
  }
  return [...all, ...drops.slice(next)].slice(-maxGaps)
}
