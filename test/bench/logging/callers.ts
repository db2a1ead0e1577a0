/** What a call costs its caller: bursts of records, of which only the calls are timed. */
import { PlatformLogger } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Layer, Logger, ManagedRuntime } from "effect"
import type { Writer, Writers } from "../support/peers.js"
import { nowhere, settled, turn, withRecorder } from "../support/recorders.js"
import { type Entry, makeEntries } from "../support/records.js"
import type { Reasons } from "../support/report.js"
import { type Comparison, compare, recorderName } from "./compare.js"

const largest = 10_000
const bursts = [1, 100, largest]

/** `Effect.log` by a logger of JSON to a file. */
const effectLog = async (file: string): Promise<Writer> => {
  const logger = Logger.replaceScoped(
    Logger.defaultLogger,
    Logger.jsonLogger.pipe(PlatformLogger.toFile(file))
  )
  const runtime = ManagedRuntime.make(Layer.provide(logger, NodeFileSystem.layer))
  // Its file is open before the first call.
  await runtime.runPromise(Effect.void)
  return {
    write: (record) => runtime.runSync(Effect.log(record)),
    flush: turn,
    close: () => runtime.dispose()
  }
}

const names = {
  pino: "pino to a file",
  sonicBoom: "JSON by sonic-boom to a file",
  openTelemetry: "OpenTelemetry's batch processor, exporting nothing",
  evlog: "evlog, draining nothing",
  effectLog: "Effect.log to a file, as JSON"
}

const later =
  "of one record a turn it only keeps the record; the recorder's call also schedules the end of the turn"
const inTime = "its call makes text that a timer writes; the recorder's call schedules the end of its turn"

/** What the calls of a burst share, the call of a lone record has alone. */
const reasons: Reasons = {
  [names.pino]: inTime,
  [names.sonicBoom]: inTime,
  [names.openTelemetry]: later,
  [names.evlog]: later
}

/** Nanoseconds of one call, in bursts that together make enough calls to be timed. */
const timed = async (
  burst: number,
  entries: ReadonlyArray<Entry>,
  write: (entry: Entry) => unknown,
  done: () => Promise<unknown>
): Promise<number> => {
  let nanos = 0
  for (let at = 0; at < entries.length; at += burst) {
    const part = entries.slice(at, at + burst)
    const start = performance.now()
    for (const entry of part) write(entry)
    nanos += (performance.now() - start) * 1e6
    await done()
  }
  return nanos / entries.length
}

/** Measures the calls of all of them. */
export const callers = async (comparison: Comparison, peers: Writers, folder: string): Promise<void> => {
  const writers: { readonly [name: string]: Writer } = {
    [names.pino]: peers.makePino(`${folder}/pino.log`),
    [names.sonicBoom]: peers.makeSonicBoom(`${folder}/sonic-boom.log`),
    [names.openTelemetry]: peers.makeOpenTelemetry(2 * largest),
    [names.evlog]: peers.makeEvlog(2 * largest),
    [names.effectLog]: await effectLog(`${folder}/effect.log`)
  }
  // The streams open their files.
  await new Promise((resolve) => setTimeout(resolve, 200))
  try {
    await withRecorder(nowhere<Entry>(), {}, async (recorder) => {
      for (const burst of bursts) {
        const entries = makeEntries(burst === 1 ? 200 : largest)
        const samples: Record<string, () => Promise<number>> = {
          [recorderName]: () => timed(burst, entries, recorder.unsafeSave, () => settled(recorder))
        }
        for (const [name, { flush, write }] of Object.entries(writers)) {
          samples[name] = () => timed(burst, entries, write, flush)
        }
        await compare(comparison, `the caller's cost of a call in bursts of ${burst}, ns`, samples, reasons)
      }
    })
  } finally {
    for (const { close } of Object.values(writers)) await close()
  }
}
