/** Guards of the index of keys of logs in databases. */
import type { NamedMutant } from "../named.js"

const internal = (file: string): string => `src/sql/internal/${file}.ts`
const keys = (name: string) => ({ file: "test/sql/log/keys.test.ts", name })
const oneWinner = {
  file: "test/sql/log/conditions.test.ts",
  name: "of two writers at one generation lets one win, also when one waits for the other's head"
}

const ofSeqs = {
  file: "test/sql/log/conditions.test.ts",
  name: "on the seq of a key are judged by the state, alone, together and in a transaction"
}

export const sqlKeysMutants: ReadonlyArray<NamedMutant> = [
  {
    name: "keys in databases: judge a condition by what was there before the wait for the head",
    file: internal("pg/logIndex"),
    find: 'WHERE k."generation" - p.count <> x.generation)',
    replace: 'WHERE (SELECT o."generation" FROM log_keys o WHERE o."key" = x.key) <> x.generation)',
    test: oneWinner,
    needs: "servers"
  },
  {
    name: "keys in databases: judge a condition before the head is locked",
    file: internal("pg/log"),
    find: "literal(feed.feed)} FOR UPDATE`",
    replace: "literal(feed.feed)}`",
    test: oneWinner,
    needs: "servers"
  },
  {
    name: "keys in databases: judge a seq before the head is locked",
    file: internal("pg/log"),
    find: "literal(feed.feed)} FOR UPDATE`",
    replace: "literal(feed.feed)}`",
    test: {
      file: "test/sql/log/conditions.test.ts",
      name: "of two writers at one seq lets one win, when both wait for the head"
    },
    needs: "servers"
  },
  {
    name: "keys in databases: take a key without a value for one of seq 0",
    file: internal("log/expectations"),
    find: 'seqs.get(key) ?? "absent"',
    replace: "seqs.get(key) ?? 0",
    test: ofSeqs,
    needs: "servers"
  },
  {
    name: "keys in databases: keep the seq of a key that an earlier entry deletes",
    file: internal("log/expectations"),
    find: "value === undefined ? remove(key) : put(",
    replace: "put(",
    test: ofSeqs,
    needs: "servers"
  },
  {
    name: "keys in databases: look up no key that an entry expects and does not change",
    file: internal("log/append"),
    find: "...changed, ...valuedKeys(entries)",
    replace: "...changed",
    test: ofSeqs,
    needs: "servers"
  },
  {
    name: "keys in databases: append by one statement without the index",
    file: internal("pg/log"),
    find: '(feed.keys === "indexed" ? countChanges(feed, `$${first}`) : "")',
    replace: '""',
    test: keys("are indexed by every way to append, and read by every handle"),
    needs: "servers"
  },
  {
    name: "keys in databases: mark no events as gone",
    file: internal("log/retention"),
    find: "statements.index?.removeUpTo(to) ?? []",
    replace: "statements.index?.removeUpTo(to).slice(0, 1) ?? []",
    test: keys("count on when events are removed, and are never a part for the whole"),
    needs: "servers"
  },
  {
    name: "keys in databases: take a suffix for the whole",
    file: internal("log/keyStore"),
    find: "if (after === undefined) return gone && compacted(floor.seq)",
    replace: "if (after === undefined) return undefined",
    test: keys("count on when events are removed, and are never a part for the whole"),
    needs: "servers"
  },
  {
    name: "keys in databases: let a handle without the index append",
    file: internal("log/store"),
    find: "if (found === kindOfFeed(feed)) return undefined",
    replace: 'if (found.split("+")[0] === feed.state) return undefined',
    test: keys("are refused of a feed that has none, and a feed that has some by a handle without"),
    needs: "servers"
  },
  {
    name: "keys in databases: give up what a reader holds",
    file: internal("log/retention"),
    find: 'held === "go" ? Number.POSITIVE_INFINITY',
    replace: "true ? Number.POSITIVE_INFINITY",
    test: keys("are held for readers: retention leaves what they read next, compact does not"),
    needs: "servers"
  },
  {
    name: "keys in databases: renew an epoch without the events",
    file: internal("log/statements"),
    find: 'if (feed.keys === "indexed") return [',
    replace: "if (false) return [",
    test: keys("keep their events when the epoch is renewed"),
    needs: "servers"
  }
]
