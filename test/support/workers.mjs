// `--import tsx` does not reach worker threads on Node.js 20; threads inherit this import and register it there.
import { isMainThread } from "node:worker_threads"

if (!isMainThread) (await import("tsx/esm/api")).register()
