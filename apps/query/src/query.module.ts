import {
  Inject,
  Module,
  type DynamicModule,
  type MiddlewareConsumer,
  type NestModule,
  type Provider,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { RunBlobs } from '@rondo/application';
import express from 'express';
import { BackfillsController } from './backfills/backfills.controller.ts';
import { BackfillsService } from './backfills/backfills.service.ts';
import { AlertsController } from './alerts/alerts.controller.ts';
import { ApprovalsController } from './approvals/approvals.controller.ts';
import { ApprovalsService } from './approvals/approvals.service.ts';
import { Commands } from './commands.ts';
import { ConnectionsController } from './connections/connections.controller.ts';
import { ConnectionsService } from './connections/connections.service.ts';
import { DagsController } from './dags/dags.controller.ts';
import { DagsService } from './dags/dags.service.ts';
import { DeadLettersController } from './dead-letters/dead-letters.controller.ts';
import { EventsController } from './events/events.controller.ts';
import { Definitions } from './history/definitions.ts';
import { RunHistory } from './history/run-history.ts';
import { Snapshots } from './history/snapshots.ts';
import { authorize } from './http/authorize.ts';
import { door, type DoorOptions } from './http/door.ts';
import { AnswerInterceptor, AuthorizeGuard } from './http/guards.ts';
import { LiveAnswers } from './http/live.ts';
import { ProblemFilter } from './http/problem.filter.ts';
import * as options from './options.ts';
import { AssetsController } from './assets/assets.controller.ts';
import { AssetsService } from './assets/assets.service.ts';
import { PoolsController } from './pools/pools.controller.ts';
import { PoolsService } from './pools/pools.service.ts';
import { ControlController } from './runs/control.controller.ts';
import { ControlService } from './runs/control.service.ts';
import { RunsController } from './runs/runs.controller.ts';
import { RunsService } from './runs/runs.service.ts';
import { SensorEventsController } from './sensor-events/sensor-events.controller.ts';
import { SystemController } from './system/system.controller.ts';
import { LogController } from './task-instances/log.controller.ts';
import { LogService } from './task-instances/log.service.ts';
import { TasksController } from './task-instances/tasks.controller.ts';
import { TasksService } from './task-instances/tasks.service.ts';
import { XComsController } from './xcoms/xcoms.controller.ts';
import { XComsService } from './xcoms/xcoms.service.ts';
import { VariablesController } from './variables/variables.controller.ts';
import { VariablesService } from './variables/variables.service.ts';
import { WorkersController } from './workers/workers.controller.ts';

/** The largest body of a request. */
const BODY_LIMIT = '1mb';
const BODY_TYPES = ['application/json', 'application/cloudevents+json', 'application/cloudevents-batch+json'];

const CONTROLLERS = [
  DagsController,
  RunsController,
  ControlController,
  BackfillsController,
  TasksController,
  LogController,
  XComsController,
  EventsController,
  SensorEventsController,
  ApprovalsController,
  VariablesController,
  ConnectionsController,
  AssetsController,
  PoolsController,
  WorkersController,
  DeadLettersController,
  AlertsController,
  SystemController,
];
const SERVICES = [
  Commands,
  Definitions,
  RunHistory,
  Snapshots,
  LiveAnswers,
  DagsService,
  RunsService,
  ControlService,
  BackfillsService,
  TasksService,
  LogService,
  ApprovalsService,
  XComsService,
  VariablesService,
  ConnectionsService,
  AssetsService,
  PoolsService,
];

/** The API. The application that imports it must leave bodies unparsed: see `API_APPLICATION`. */
@Module({})
export class QueryModule implements NestModule {
  constructor(@Inject(options.DOOR) private readonly doorOptions: DoorOptions) {}

  static register(given: options.QueryOptions): DynamicModule {
    return {
      module: QueryModule,
      controllers: CONTROLLERS,
      providers: [
        ...SERVICES,
        ...provided(given),
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_GUARD, useClass: AuthorizeGuard },
        { provide: APP_INTERCEPTOR, useClass: AnswerInterceptor },
      ],
    };
  }

  configure(consumer: MiddlewareConsumer): void {
    // Who may not come in is not listened to: the door stands before the body is read.
    consumer.apply(door(this.doorOptions), express.json({ limit: BODY_LIMIT, type: BODY_TYPES })).forRoutes('{*path}');
  }
}

function provided(given: options.QueryOptions): Provider[] {
  const values: readonly (readonly [symbol, unknown])[] = [
    [options.READ_MODELS, given.readModels],
    [options.EVENT_STORE, given.eventStore],
    [options.COMMANDS, given.commands],
    [options.LOGS, given.logs],
    [options.BLOBS, given.blobs],
    [options.RUN_BLOBS, new RunBlobs(given.blobs, given.keyring)],
    [options.KEYRING, given.keyring ?? { find: async () => undefined }],
    [options.BUNDLES, given.bundles],
    [options.SECRETS, given.secrets],
    [options.ADMIN, given.admin],
    [options.SENSOR_EVENTS, given.sensorEvents],
    [options.ADMISSION, given.admission],
    [options.WORKERS, given.workers],
    [options.ARCHIVES, given.archives ?? false],
    [options.DEAD_LETTERS, given.deadLetters],
    [options.SUBSCRIPTIONS, given.subscriptions ?? null],
    [options.CLOCK, given.clock],
    [options.HEALTH, given.health],
    [options.ADMIN_COMMANDS, given.adminCommands ?? null],
    [options.DOOR, given.door ?? {}],
    [options.AUTHORIZE, given.authorize ?? authorize],
    [options.VERSION, given.version],
    [options.CONF_OVERRIDES_PARAMS, given.confOverridesParams ?? true],
  ];
  return values.map(([provide, useValue]) => ({ provide, useValue }));
}
