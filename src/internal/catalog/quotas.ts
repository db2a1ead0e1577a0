/** Limits that keep one principal, or one store, from taking what is there for all. */
import type { Timers } from "../lease/timers.js"
import * as Rules from "../options.js"

/** Limits of a catalog; each is unlimited by default. */
export interface Quotas {
  /** Stores and pools of the catalog, and those that one principal has opened. */
  readonly stores?: number | undefined
  readonly storesPerPrincipal?: number | undefined
  /** Records of one store. */
  readonly records?: number | undefined
  /** Bytes of one store: about those of its data as JSON. */
  readonly bytes?: number | undefined
  /** Bytes of one record, or of one patch. */
  readonly valueBytes?: number | undefined
  /** Follows of one store; and clients that are subscribed to it by name, counted by themselves. */
  readonly subscribers?: number | undefined
  /** Operations of one principal in a second; so many may come at once. */
  readonly operationsPerSecond?: number | undefined
}

const count = Rules.optional(Rules.whole(0))

export const quotaRules = {
  stores: count,
  storesPerPrincipal: count,
  records: count,
  bytes: Rules.optional(Rules.whole(0, "bytes")),
  valueBytes: Rules.optional(Rules.whole(1, "bytes")),
  subscribers: count,
  operationsPerSecond: Rules.optional(Rules.whole(1))
} satisfies Rules.Rules<Quotas>

/** A limit that would be passed. */
export interface Exceeded {
  readonly name: keyof Quotas
  readonly limit: number
}

/** Returns the limit that a count would pass, or `undefined`. */
export const exceeded = (quotas: Quotas, name: keyof Quotas, wanted: number): Exceeded | undefined => {
  const limit = quotas[name]
  return limit !== undefined && wanted > limit ? { name, limit } : undefined
}

export const messageOf = ({ limit, name }: Exceeded): string =>
  `the quota ${name} allows ${limit}: wait, remove something, or raise it`

/** Counts operations of principals by a token bucket that holds one second of them. */
export interface Rates {
  /** Takes one operation of a principal; `false`: there were too many. */
  readonly take: (principal: string) => boolean
  /** Gives back one that was taken and not needed. */
  readonly giveBack: (principal: string) => void
}

/** The most principals that are counted. One that is full is forgotten first. */
const maxCounted = 10_000

interface Bucket {
  tokens: number
  at: number
}

export const makeRates = (perSecond: number | undefined, timers: Timers): Rates => {
  if (perSecond === undefined) return { take: () => true, giveBack: () => {} }
  const buckets = new Map<string, Bucket>()
  const refill = (bucket: Bucket, now: number): void => {
    bucket.tokens = Math.min(perSecond, bucket.tokens + ((now - bucket.at) * perSecond) / 1000)
    bucket.at = now
  }
  const makeRoom = (now: number): void => {
    for (const [principal, bucket] of buckets) {
      refill(bucket, now)
      if (bucket.tokens >= perSecond) buckets.delete(principal)
    }
  }
  return {
    take: (principal) => {
      const now = timers.now()
      let bucket = buckets.get(principal)
      if (bucket === undefined) {
        if (buckets.size >= maxCounted) makeRoom(now)
        bucket = { tokens: perSecond, at: now }
        buckets.set(principal, bucket)
      } else refill(bucket, now)
      if (bucket.tokens < 1) return false
      bucket.tokens--
      return true
    },
    giveBack: (principal) => {
      const bucket = buckets.get(principal)
      if (bucket !== undefined) bucket.tokens = Math.min(perSecond, bucket.tokens + 1)
    }
  }
}
