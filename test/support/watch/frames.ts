/** Frames and events in few words, and a hand that writes a log. */
import * as ChangeLog from "../../../src/ChangeLog.js"
import type { Frame } from "../../../src/Watch.js"

const change = (event: { readonly _tag: string; readonly key: string; readonly value?: unknown }): string =>
  event._tag === "Delete" ? `-${event.key}` : `${event.key}=${String(event.value)}`

export const brief = (frame: Frame<unknown>): string => {
  switch (frame._tag) {
    case "Snapshot": {
      const entries = frame.entries.map(({ key, value }) => `${key}=${String(value)}`).join(", ")
      const without = frame.deleted.length === 0 ? "" : ` without ${frame.deleted.join(", ")}`
      return `snapshot ${frame.revision.seq}: ${entries}${without}`
    }
    case "Synced":
      return `synced ${frame.revision.seq}`
    case "Progress":
      return `progress ${frame.revision.seq}`
    case "Gap":
      return `gap ${frame.from}-${frame.to} ${frame.reason}`
    case "Events":
      return `${frame.revision.seq}: ${frame.events.map(change).join(", ")}`
  }
}

export const writing = <V>(log: ChangeLog.ChangeLog<V>) => ({
  put: (key: string, value: V) => log.append([ChangeLog.put(key, value)]),
  remove: (key: string) => log.append([ChangeLog.remove(key)])
})
