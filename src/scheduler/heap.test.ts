import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo } from './fifo.ts';
import { Heap } from './heap.ts';

test('the first is always the least, whatever was added, moved or removed', () => {
  const change = fc.record({ kind: fc.constantFrom('add', 'move', 'remove'), key: fc.nat(50), at: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const heap = new Heap<{ key: number; heapIndex: number }>((left, right) => left.key < right.key);
      const inside: { key: number; heapIndex: number }[] = [];
      for (const { kind, key, at } of changes) {
        if (kind === 'add' || inside.length === 0) {
          const entry = { key, heapIndex: -1 };
          inside.push(entry);
          heap.add(entry);
        } else if (kind === 'move') {
          const entry = inside[at % inside.length];
          entry.key = key;
          heap.moved(entry);
        } else {
          const [entry] = inside.splice(at % inside.length, 1);
          heap.remove(entry);
          assert.equal(entry.heapIndex, -1);
        }
        assert.equal(heap.size, inside.length);
        const least = inside.length === 0 ? null : Math.min(...inside.map((entry) => entry.key));
        assert.equal(heap.first()?.key ?? null, least);
      }
    }),
  );
});

test('a fifo gives back what it was given, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 300, size: 'max' }), (takes) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const [index, take] of takes.entries()) {
        if (take) {
          assert.equal(fifo.take(), model.shift() ?? null);
        } else {
          model.push(index);
          fifo.add(index);
        }
        assert.equal(fifo.size, model.length);
        assert.equal(fifo.first(), model[0] ?? null);
      }
      fifo.keep((entry) => entry % 2 === 0);
      assert.equal(fifo.size, model.filter((entry) => entry % 2 === 0).length);
    }),
  );
});
