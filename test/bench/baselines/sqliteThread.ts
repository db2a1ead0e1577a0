/** The same in a thread of its own, by hand: a message with the parameters, and one with the rows that were new. */
import { once } from "node:events"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import type { Entry } from "../support/records.js"
import { openHandWritten } from "./sqlite.js"

export interface HandWrittenThread {
  readonly insert: (batch: ReadonlyArray<Entry>) => Promise<number>
  readonly close: () => Promise<void>
}

/** Starts the thread. One batch is out at a time. */
export const startHandWritten = async (filename: string): Promise<HandWrittenThread> => {
  const thread = new Worker(new URL(import.meta.url), { workerData: { filename } })
  await once(thread, "message")
  let resolve: (changes: number) => void = () => {}
  thread.on("message", (changes: number) => resolve(changes))
  return {
    insert: (batch) =>
      new Promise((done) => {
        resolve = done
        thread.postMessage(batch)
      }),
    close: async () => {
      await thread.terminate()
    }
  }
}

if (!isMainThread && parentPort !== null) {
  const database = openHandWritten((workerData as { readonly filename: string }).filename)
  const port = parentPort
  port.on("message", (batch: ReadonlyArray<Entry>) => port.postMessage(database.insert(batch)))
  port.postMessage("open")
}
