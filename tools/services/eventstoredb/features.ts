import type { IServerFeaturesServer } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import { features, PersistentSubscriptionsService, StreamsService } from './pb.ts';

const VERSION = '23.10.0';

/** What the client may ask of this server: it asks a real one in the same way. */
export const serverFeatures: IServerFeaturesServer = {
  getSupportedMethods: (_call, answer) => {
    const batchAppend = new features.SupportedMethod();
    batchAppend.setServiceName(StreamsService.batchAppend.path.split('/')[1]!.toLowerCase());
    batchAppend.setMethodName('batchappend');
    const methods = ['create', 'update', 'delete', 'read', 'getinfo', 'replayparked', 'list'].map((name) => {
      const method = new features.SupportedMethod();
      method.setServiceName(PersistentSubscriptionsService.create.path.split('/')[1]!.toLowerCase());
      method.setMethodName(name);
      method.setFeaturesList(['stream', 'all']);
      return method;
    });
    const supported = new features.SupportedMethods();
    supported.setEventStoreServerVersion(VERSION);
    supported.setMethodsList([...methods, batchAppend]);
    answer(null, supported);
  },
};
