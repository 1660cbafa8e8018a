import type { Contact } from './contact.ts';
import { divideSlots } from './divide.ts';
import type { Held } from './holdings.ts';

/**
 * Divides a worker's slots among its gateways by demand. What one loses another gets when the first has answered a beat that
 * was sent after its lower offer: until then an assignment of it may be on its way. `slots` 0: nothing more is taken.
 */
export function makeOffers(total: number, contacts: readonly Contact[], held: Iterable<Held>, now: number): void {
  const running = new Map(contacts.map((contact) => [contact, 0]));
  let elsewhere = 0;
  for (const { contact } of held) {
    const count = running.get(contact);
    if (count === undefined) elsewhere++;
    else running.set(contact, count + 1);
  }
  const slots = Math.max(0, total - elsewhere);
  const claimants = contacts.map((contact) => ({ running: running.get(contact)!, waiting: contact.waiting }));
  const offers = total === 0 ? contacts.map(() => 0) : divideSlots(slots, claimants);
  contacts.forEach((contact, i) => {
    if (offers[i]! < contact.offered) contact.offer(offers[i]!, now);
  });
  const committed = (contact: Contact): number => Math.max(contact.promised, running.get(contact)!);
  let spare = slots - contacts.reduce((sum, contact) => sum + committed(contact), 0);
  contacts.forEach((contact, i) => {
    const before = committed(contact);
    const offer = Math.min(offers[i]!, before + Math.max(0, spare));
    if (offer <= contact.offered) return;
    spare -= Math.max(0, offer - before);
    contact.offer(offer, now);
  });
}
