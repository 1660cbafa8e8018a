import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describePersistentSubscriptionsContract, memoryEventStore } from '@rondo/testing';
import { embeddedSubscriptions } from './subscriptions.ts';

describePersistentSubscriptionsContract('embedded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rondo-subscriptions-'));
  const events = memoryEventStore();
  const open = () => embeddedSubscriptions({ folder, events });
  let subscriptions = open();
  return {
    store: events,
    get subscriptions() {
      return subscriptions;
    },
    reopen: async () => {
      await subscriptions.close();
      return (subscriptions = open());
    },
    dispose: async () => {
      await subscriptions.close();
      await events.close();
      rmSync(folder, { recursive: true });
    },
  };
});
