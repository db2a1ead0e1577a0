/** Watchers of a registry by itself, which are always taken in time. */
import type * as ChangeLog from "../../../src/ChangeLog.js"
import * as View from "../../../src/internal/watch/view.js"
import * as Watcher from "../../../src/internal/watch/watcher.js"

/** The position of a registry before the first revision. */
export const start: ChangeLog.Revision = { epoch: "bench", seq: 0, tag: 0 }

/** A watcher with more room than any case fills. `viewed`: with a view that lets everything through. */
export const watcherOf = (
  id: number,
  selector: ChangeLog.Selector,
  viewed = false
): Watcher.Watcher<number> =>
  Watcher.make({
    id,
    selector,
    where: undefined,
    view: viewed ? View.make<number>(() => true) : undefined,
    policy: "resync",
    previous: false,
    autoResnapshot: false,
    capacity: 1 << 20,
    owesSynced: false
  })
