/** A watch over a log in memory that is served over HTTP, and short forms of what its clients are told. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as WatchSse from "../../../src/platform/WatchSse.js"
import * as Watch from "../../../src/Watch.js"
import { writing } from "../watch/frames.js"
import { briefly, type Reading, type SseEvent } from "./sse.js"

export const everything = ChangeLog.prefix("")

interface Setting {
  readonly log?: ChangeLog.Options<number>
  readonly watch?: Watch.Options<number>
  readonly sse?: WatchSse.Options<number, unknown>
}

export const setUp = (setting: Setting = {}) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<number>({ state: "latest", ...setting.log })
    const watch = yield* Watch.make(log, setting.watch)
    const sse = yield* WatchSse.make(watch, setting.sse)
    return { log, watch, sse, ...writing(log) }
  })

/** Names, data without cursors, and the number of the revision in the id. */
export const short = (reading: Reading): ReadonlyArray<string> =>
  reading.events().map(({ id, ...event }) => {
    const data = event.data.replace(/"cursor":"\w+:\d+:\d+",?/, "")
    return briefly({ ...event, data, ...(id === undefined ? {} : { id: id.split(":")[1] ?? "" }) })
  })

export const lastId = (reading: Reading): string =>
  reading.events().reduce((last, { id }: SseEvent) => id ?? last, "")
