import type { CallbackAssignment, WatchAssignment } from '@rondo/ports';
import type { Link, Links } from './links.ts';

/** Which worker has what of a bundle that takes no slot: all of one bundle is with one, so that a single child holds it. */
export class Places {
  private readonly links: Links;
  private readonly byBundle = new Map<string, Link>();

  constructor(links: Links) {
    this.links = links;
  }

  /** Undefined: no worker takes anything now. */
  of({ bundle }: { readonly bundle: WatchAssignment['assignment']['bundle'] }): Link | undefined {
    const known = this.byBundle.get(bundle.hash);
    if (known !== undefined) return known;
    const taking = this.links.helping();
    if (taking.length === 0) return undefined;
    const counts = new Map(taking.map((link) => [link, 0]));
    for (const link of this.byBundle.values()) {
      const count = counts.get(link);
      if (count !== undefined) counts.set(link, count + 1);
    }
    const link = taking.reduce((least, each) => (counts.get(each)! < counts.get(least)! ? each : least));
    this.byBundle.set(bundle.hash, link);
    return link;
  }

  /** The worker is gone: what it had goes elsewhere. */
  leave(link: Link): void {
    for (const [hash, at] of this.byBundle) if (at === link) this.byBundle.delete(hash);
  }
}

interface OpenCallback {
  readonly callback: CallbackAssignment;
  readonly partition: number;
  link: Link | undefined;
}

/** Callbacks that have no child of an attempt to run in. At least once: a worker that says hello again is told them again. */
export class Callbacks {
  private readonly places: Places;
  private readonly open = new Map<string, OpenCallback>();

  constructor(places: Places) {
    this.places = places;
  }

  /** I1: one that is known is dropped. */
  onCallback(callback: CallbackAssignment, partition: number): void {
    if (this.open.has(callback.id)) return;
    const link = this.places.of(callback);
    this.open.set(callback.id, { callback, partition, link });
    link?.send({ kind: 'callbacks', callbacks: [callback] });
  }

  end(id: string): CallbackAssignment | undefined {
    const known = this.open.get(id);
    this.open.delete(id);
    return known?.callback;
  }

  /** They are another gateway's. */
  drop(partition: number): void {
    for (const [id, each] of this.open) if (each.partition === partition) this.open.delete(id);
  }

  /** A worker takes orders, anew or for the first time. */
  onReady(ready: Link): void {
    const callbacks: CallbackAssignment[] = [];
    for (const each of this.open.values()) {
      each.link ??= this.places.of(each.callback);
      if (each.link === ready) callbacks.push(each.callback);
    }
    if (callbacks.length > 0) ready.send({ kind: 'callbacks', callbacks });
  }

  onGone(gone: Link): void {
    for (const each of this.open.values()) {
      if (each.link !== gone) continue;
      each.link = this.places.of(each.callback);
      each.link?.send({ kind: 'callbacks', callbacks: [each.callback] });
    }
  }
}
