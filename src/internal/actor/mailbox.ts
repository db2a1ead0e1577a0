/**
 * The queue of an actor: items in order, cut into segments by requests.
 *
 * Items are kept in plain arrays of at most `limit`. An array is handed over whole when a batch may take it all. So an
 * item costs one array slot, and draining costs nothing per item. A request closes the segment before it.
 * After a full segment the queue is in a burst: the next segment gets its slots in advance, because an array that grows
 * by pushes costs twice as much. Slots without an item are cut off before the array is read.
 * Every item has a sequence number, counted from 0 in order of arrival.
 */

/** Items that are neighbours in the queue. `start` is the index of the first one that is still queued. */
export interface Segment<Item> {
  readonly _tag: "Segment"
  readonly items: Array<Item>
  /** Parallel to `items`, when sizes are kept. */
  readonly sizes: Array<number> | undefined
  start: number
  /** When its first item came, by the clock that the owner passed in. */
  readonly openedAt: number
  next: Node<Item> | undefined
}

/** A query or a barrier: it is run alone, at its place in the queue. */
export interface Request<Resource> {
  readonly _tag: "Request"
  /** Its caller was interrupted: skip it. */
  cancelled: boolean
  /** A barrier reads nothing: items that came after it may be handled before it. */
  readonly kind: "query" | "barrier"
  readonly run: (resource: Resource) => unknown
}

interface RequestNode<Item> {
  readonly _tag: "RequestNode"
  readonly request: Request<never>
  next: Node<Item> | undefined
}

type Node<Item> = Segment<Item> | RequestNode<Item>

export interface Mailbox<Item> {
  head: Node<Item> | undefined
  tail: Node<Item> | undefined
  /** The open segment's array, or none: the next item opens one. */
  write: Array<Item> | undefined
  /** The most items of a segment, and of a batch. */
  limit: number
  readonly sized: boolean
  /** Sequence number of the first queued item. */
  first: number
  /** Sequence number that the next item gets. */
  next: number
  /** Sequence number of the first item that the open segment was given. */
  opened: number
  /** The most items of the open segment. */
  capacity: number
  /** Sum of the sizes of the queued items, when sizes are kept. */
  bytes: number
  /** How many requests are queued. */
  requests: number
}

/** What a drain takes: items that stood next to each other, in order. */
export interface Batch<Item> {
  /** Owned by what handles the batch; the mailbox never touches this array again. */
  items: Array<Item>
  sizes: Array<number> | undefined
  /** Sequence number of the first item. */
  readonly first: number
  readonly openedAt: number
}

export const make = <Item>(limit: number, sized: boolean): Mailbox<Item> => ({
  head: undefined,
  tail: undefined,
  write: undefined,
  limit,
  sized,
  first: 0,
  next: 0,
  opened: 0,
  capacity: limit,
  bytes: 0,
  requests: 0
})

const link = <Item>(mailbox: Mailbox<Item>, node: Node<Item>): void => {
  if (mailbox.tail === undefined) mailbox.head = node
  else mailbox.tail.next = node
  mailbox.tail = node
}

const unlink = <Item>(mailbox: Mailbox<Item>, before: Node<Item> | undefined, node: Node<Item>): void => {
  if (before === undefined) mailbox.head = node.next
  else before.next = node.next
  if (mailbox.tail === node) mailbox.tail = before
  if (node._tag === "Segment" && node.items === mailbox.write) mailbox.write = undefined
}

/** Sets the most items of a batch; the next segment holds no more. */
export const setLimit = <Item>(mailbox: Mailbox<Item>, limit: number): void => {
  mailbox.limit = limit
  closeSegment(mailbox)
}

/** How many items are queued. */
export const size = <Item>(mailbox: Mailbox<Item>): number => mailbox.next - mailbox.first

/** The most slots that a segment has from the first: 16 KiB, were they all in vain. */
const maxSlots = 2048

/** Copied, and not `new Array`, so that no batch is an array with holes. */
const emptySlots: ReadonlyArray<unknown> = [...new Array<unknown>(maxSlots)]

/** Opens the segment that the next items go to, of at most `capacity` items. */
export const openSegment = <Item>(
  mailbox: Mailbox<Item>,
  now: number,
  capacity: number = mailbox.limit
): void => {
  const inBurst = mailbox.write !== undefined && mailbox.capacity === mailbox.limit
  closeSegment(mailbox)
  const segment: Segment<Item> = {
    _tag: "Segment",
    items: inBurst ? (emptySlots.slice(0, capacity) as Array<Item>) : [],
    sizes: mailbox.sized ? [] : undefined,
    start: 0,
    openedAt: now,
    next: undefined
  }
  link(mailbox, segment)
  mailbox.write = segment.items
  mailbox.opened = mailbox.next
  mailbox.capacity = capacity
}

/** Cuts off the slots of the open segment that hold no item. */
const trim = <Item>({ next, opened, write }: Mailbox<Item>): void => {
  if (write !== undefined && write.length > next - opened) write.length = next - opened
}

/** The next item opens a segment. */
export const closeSegment = <Item>(mailbox: Mailbox<Item>): void => {
  trim(mailbox)
  mailbox.write = undefined
}

/** The open segment's array, when it may take one more; else the next item needs a segment of its own. */
export const openItems = <Item>({ capacity, next, opened, write }: Mailbox<Item>): Array<Item> | undefined =>
  next - opened < capacity ? write : undefined

/** Queues one item in the open segment, of which this is the array: in its next slot, or as a push would. */
export const put = <Item>(mailbox: Mailbox<Item>, items: Array<Item>, item: Item): void => {
  items[mailbox.next++ - mailbox.opened] = item
}

/** Queues one item with its size, in the open segment: the last node. */
export const push = <Item>(mailbox: Mailbox<Item>, item: Item, bytes: number): void => {
  const segment = mailbox.tail as Segment<Item>
  put(mailbox, segment.items, item)
  if (segment.sizes !== undefined) {
    segment.sizes.push(bytes)
    mailbox.bytes += bytes
  }
}

/** Queues a request behind everything pushed before it. */
export const post = <Item, Resource>(mailbox: Mailbox<Item>, request: Request<Resource>): void => {
  closeSegment(mailbox)
  link(mailbox, { _tag: "RequestNode", request, next: undefined })
  mailbox.requests++
}

/** Takes the request at the head, if the next thing in the queue is one. */
export const shiftRequest = <Item>(mailbox: Mailbox<Item>): Request<never> | undefined => {
  const head = mailbox.head
  if (head === undefined || head._tag === "Segment") return undefined
  unlink(mailbox, undefined, head)
  mailbox.requests--
  return head.request
}

/** Removes every request from the queue, in order; the items stay. */
export const drainRequests = <Item>(mailbox: Mailbox<Item>): Array<Request<never>> => {
  const requests: Array<Request<never>> = []
  let before: Node<Item> | undefined
  for (let node = mailbox.head; node !== undefined && mailbox.requests > 0; node = node.next) {
    if (node._tag === "Segment") before = node
    else {
      requests.push(node.request)
      unlink(mailbox, before, node)
      mailbox.requests--
    }
  }
  return requests
}

/** Whether a request waits in the queue. */
export const hasRequest = <Item>({ requests }: Mailbox<Item>): boolean => requests > 0

const cut = <Item>(
  mailbox: Mailbox<Item>,
  before: Node<Item> | undefined,
  segment: Segment<Item>,
  max: number
) => {
  if (segment.items === mailbox.write) trim(mailbox)
  const available = segment.items.length - segment.start
  const whole = available <= max
  const count = whole ? available : max
  const end = segment.start + count
  const untouched = whole && segment.start === 0
  const items = untouched ? segment.items : segment.items.slice(segment.start, end)
  const sizes = untouched ? segment.sizes : segment.sizes?.slice(segment.start, end)
  const first = mailbox.first
  segment.start = end
  mailbox.first += count
  if (sizes !== undefined) for (let i = 0; i < sizes.length; i++) mailbox.bytes -= sizes[i] as number
  if (whole) unlink(mailbox, before, segment)
  return { items, sizes, first, openedAt: segment.openedAt }
}

/**
 * Takes everything that is ready up to the next request, at most `max` items. Hands the array over without a copy
 * when one segment is the whole batch.
 */
export const take = <Item>(mailbox: Mailbox<Item>, max: number): Batch<Item> | undefined => {
  if (mailbox.head === undefined || mailbox.head._tag !== "Segment") return undefined
  const batch = cut(mailbox, undefined, mailbox.head, max)
  while (batch.items.length < max && mailbox.head?._tag === "Segment") {
    append(batch, cut(mailbox, undefined, mailbox.head, max - batch.items.length))
  }
  return batch
}

/** Puts the next items behind a batch, in new arrays: the old ones may have been handed out. */
export const append = <Item>(batch: Batch<Item>, more: Batch<Item>): void => {
  batch.items = batch.items.concat(more.items)
  if (batch.sizes !== undefined && more.sizes !== undefined) batch.sizes = batch.sizes.concat(more.sizes)
}

/**
 * Takes the next items for a batch that was taken before, passing over barriers, and over queries whose
 * caller was interrupted. For a batch that needs a second record to compare with.
 */
export const takeBehind = <Item>(mailbox: Mailbox<Item>, max: number): Batch<Item> | undefined => {
  let before: Node<Item> | undefined
  for (let node = mailbox.head; node !== undefined; node = node.next) {
    if (node._tag === "Segment") return cut(mailbox, before, node, max)
    if (node.request.kind === "query" && !node.request.cancelled) return undefined
    before = node
  }
  return undefined
}

/** Removes the oldest queued item and returns its sequence number, or none when the queue holds no item. */
export const dropOldest = <Item>(mailbox: Mailbox<Item>): number | undefined => {
  let before: Node<Item> | undefined
  for (let node = mailbox.head; node !== undefined; node = node.next) {
    if (node._tag === "Segment") {
      if (node.items === mailbox.write) trim(mailbox)
      if (node.sizes !== undefined) mailbox.bytes -= node.sizes[node.start] as number
      // The slot must not keep the dropped item alive until its segment goes.
      node.items[node.start] = undefined as Item
      node.start++
      if (node.start === node.items.length) unlink(mailbox, before, node)
      return mailbox.first++
    }
    before = node
  }
  return undefined
}

/** When the oldest queued item came, to the precision of its segment. */
export const oldestAt = <Item>(mailbox: Mailbox<Item>): number | undefined => {
  for (let node = mailbox.head; node !== undefined; node = node.next)
    if (node._tag === "Segment") return node.openedAt
  return undefined
}

/** Items that have left a queue where they stood: none was copied, or looked at. */
export interface Contents<Item> {
  readonly count: number
  readonly head: Node<Item> | undefined
}

/** Takes all items at once, however many there are. There are no requests. */
export const takeAll = <Item>(mailbox: Mailbox<Item>): Contents<Item> => {
  closeSegment(mailbox)
  const contents = { count: size(mailbox), head: mailbox.head }
  mailbox.head = undefined
  mailbox.tail = undefined
  mailbox.first = mailbox.next
  mailbox.bytes = 0
  return contents
}

/** The items themselves, in order. */
export function* itemsOf<Item>({ head }: Contents<Item>): Generator<Item> {
  for (let node = head; node !== undefined; node = node.next) {
    if (node._tag === "Segment")
      for (let i = node.start; i < node.items.length; i++) yield node.items[i] as Item
  }
}
