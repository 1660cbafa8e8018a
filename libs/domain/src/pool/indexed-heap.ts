/** An item knows its place, so that it can be taken out of the middle; -1: it is in no heap. */
export interface Placed {
  at: number;
}

/** A binary heap: `before` says which of two items comes out first. Every operation takes O(log n). */
export class IndexedHeap<T extends Placed> {
  private readonly items: T[] = [];
  private readonly before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.before = before;
  }

  get size(): number {
    return this.items.length;
  }

  /** The item that comes out next. */
  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    this.rise(item, this.items.push(item) - 1);
  }

  pop(): T | undefined {
    const top = this.items[0];
    if (top !== undefined) this.remove(top);
    return top;
  }

  /** The item itself is not compared: its order may be undefined by now. */
  remove(item: T): void {
    const { at } = item;
    item.at = -1;
    const last = this.items.pop()!;
    if (last === item) return;
    this.place(last, at);
    this.moved(last);
  }

  /** The order of the item has changed. */
  moved(item: T): void {
    this.rise(item, item.at);
    this.sink(item, item.at);
  }

  private rise(item: T, from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(item, this.items[parent]!)) break;
      this.place(this.items[parent]!, at);
      at = parent;
    }
    this.place(item, at);
  }

  private sink(item: T, from: number): void {
    const { items } = this;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.before(items[child + 1]!, items[child]!)) child++;
      if (!this.before(items[child]!, item)) break;
      this.place(items[child]!, at);
      at = child;
    }
    this.place(item, at);
  }

  private place(item: T, at: number): void {
    this.items[at] = item;
    item.at = at;
  }
}
