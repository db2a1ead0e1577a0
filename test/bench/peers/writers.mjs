/** What takes records of an application: loggers, and queues in a database. All with their defaults. */
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs"
import { initLogger, log } from "evlog"
import { createDrainPipeline } from "evlog/pipeline"
import { makeWorkerUtils } from "graphile-worker"
import PgBoss from "pg-boss"
import pino from "pino"
import SonicBoom from "sonic-boom"

const closed = (stream) =>
  new Promise((resolve, reject) => {
    stream.once("close", resolve)
    stream.once("error", reject)
    stream.end()
  })

const flushed = (stream) =>
  new Promise((resolve, reject) => stream.flush((error) => (error ? reject(error) : resolve())))

/** Lines in a file, written later. */
export const makePino = (dest) => {
  const stream = pino.destination({ dest, sync: false })
  const logger = pino({}, stream)
  return { write: (record) => logger.info(record), flush: () => flushed(stream), close: () => closed(stream) }
}

/** The stream below pino, with the least that makes a line. */
export const makeSonicBoom = (dest) => {
  const stream = new SonicBoom({ dest, sync: false })
  return {
    write: (record) => {
      stream.write(`${JSON.stringify(record)}\n`)
    },
    flush: () => flushed(stream),
    close: () => closed(stream)
  }
}

/** The batch processor, whose exporter does nothing. Its queue is as long as the largest burst: by default it drops. */
export const makeOpenTelemetry = (maxQueueSize) => {
  const exporter = {
    export: (_, done) => done({ code: 0 }),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve()
  }
  const processor = new BatchLogRecordProcessor(exporter, { maxQueueSize })
  const provider = new LoggerProvider({ processors: [processor] })
  const logger = provider.getLogger("bench")
  return {
    write: (record) => logger.emit({ body: record.action, attributes: record }),
    flush: () => provider.forceFlush(),
    close: () => provider.shutdown()
  }
}

/** Wide events, to a pipeline whose drain does nothing. Its buffer is as long as the largest burst. */
export const makeEvlog = (maxBufferSize) => {
  const drain = createDrainPipeline({ maxBufferSize })(() => Promise.resolve())
  initLogger({ env: { service: "bench" }, silent: true, drain })
  return { write: (record) => log.info(record), flush: () => drain.flush(), close: () => drain.flush() }
}

/** Jobs, which it inserts by one statement for each call. */
export const makePgBoss = async (connectionString) => {
  const boss = new PgBoss({ connectionString, supervise: false, schedule: false, max: 1 })
  await boss.start()
  await boss.createQueue("records")
  return {
    insert: (records) => boss.insert(records.map((data) => ({ name: "records", data }))),
    close: () => boss.stop({ graceful: false })
  }
}

const addJobs = `SELECT count(*) FROM graphile_worker.add_jobs(array(
  SELECT json_populate_record(null::graphile_worker.job_spec, each) FROM json_array_elements($1::json) AS each
))`

/** Jobs, by its own function for many of them in one statement. */
export const makeGraphile = async (connectionString) => {
  const utils = await makeWorkerUtils({ connectionString, maxPoolSize: 1 })
  await utils.migrate()
  return {
    insert: (records) => {
      const jobs = JSON.stringify(records.map((payload) => ({ identifier: "record", payload })))
      return utils.withPgClient((client) => client.query(addJobs, [jobs]))
    },
    close: () => utils.release()
  }
}
