/**
 * The clock of a replica. It gives stamps that grow, whatever the wall clock does, and runs on the server's time once that
 * is known.
 */
import { counterOf, makeStamp, maxCounter, millisOf, noStamp, type Stamp } from "./stamp.js"

/** How far a stamp may be ahead of the server, in milliseconds. */
export const maxAhead = 60_000

/** The clock of one replica. Only this file writes it. */
export interface Clock {
  /** The client id in its stamps: 64 random bits, new for each start of a program. */
  readonly client: string
  /** The milliseconds and the counter of the largest stamp given or seen. */
  millis: number
  counter: number
  /** The server's time less that of the wall clock, in milliseconds. `undefined`: the server's time is not known. */
  offset: number | undefined
}

/** Makes a clock that goes on after `latest`, the largest stamp that the replica holds. */
export const makeClock = (client: string, latest: Stamp): Clock => {
  const clock: Clock = { client, millis: 0, counter: 0, offset: undefined }
  observe(clock, latest)
  return clock
}

/** Takes note of a stamp: later ones of this clock are larger. */
export const observe = (clock: Clock, stamp: Stamp): void => {
  if (stamp === noStamp) return
  const millis = millisOf(stamp)
  const counter = counterOf(stamp)
  if (millis > clock.millis || (millis === clock.millis && counter > clock.counter)) {
    clock.millis = millis
    clock.counter = counter
  }
}

/** Takes note of the server's time. `wall`: what the wall clock shows meanwhile, in milliseconds. */
export const synchronize = (clock: Clock, serverTime: number, wall: number): void => {
  clock.offset = serverTime - wall
}

/** The time of the server by this clock, in whole milliseconds. */
export const timeOf = ({ offset }: Clock, wall: number): number =>
  Math.max(0, Math.floor(wall + (offset ?? 0)))

/** Gives the next stamp. A counter that is full carries into the milliseconds. */
export const nextStamp = (clock: Clock, wall: number): Stamp => {
  const now = timeOf(clock, wall)
  if (now > clock.millis) {
    clock.millis = now
    clock.counter = 0
  } else if (clock.counter < maxCounter) clock.counter++
  else {
    clock.millis++
    clock.counter = 0
  }
  return makeStamp(clock.millis, clock.counter, clock.client)
}

/**
 * Sets the clock back to the largest stamp that others may know, so that edits that were never sent get new stamps. `latest`
 * is that of all that the replica holds beside them.
 */
export const setBack = (clock: Clock, latest: Stamp): void => {
  clock.millis = 0
  clock.counter = 0
  observe(clock, latest)
}
