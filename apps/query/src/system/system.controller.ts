import { Controller, Inject, Res } from '@nestjs/common';
import type { ImportErrorRow, Paged, Position, ReadModels } from '@rondo/ports';
import type { Response } from 'express';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { Positioned } from '../http/position.ts';
import { HttpProblem, notFound } from '../http/problem.ts';
import { ADMIN_COMMANDS, HEALTH, READ_MODELS, VERSION, type AdminCommands, type HealthReport } from '../options.ts';
import { openApiDocument } from '../openapi/document.ts';
import * as operations from './system.operations.ts';

@Controller('api/v1')
export class SystemController {
  private document: object | undefined;

  constructor(
    @Inject(READ_MODELS) private readonly readModels: ReadModels,
    @Inject(HEALTH) private readonly health: () => Promise<HealthReport>,
    @Inject(VERSION) private readonly version: string,
    @Inject(ADMIN_COMMANDS) private readonly adminCommands: AdminCommands | null,
  ) {}

  @Route(operations.getHealth)
  async getHealth(@Res({ passthrough: true }) response: Response): Promise<HealthReport> {
    const report = await this.health();
    if (report.status !== 'ok') response.status(503);
    return report;
  }

  @Route(operations.getVersion)
  getVersion() {
    return { name: 'rondo', version: this.version };
  }

  @Route(operations.getDocument)
  getDocument(): object {
    this.document ??= openApiDocument(this.version);
    return this.document;
  }

  @Route(operations.listImportErrors)
  async listImportErrors(
    @Input() _input: InputOf<typeof operations.listImportErrors>,
  ): Promise<Positioned<Paged<ImportErrorRow>>> {
    const position: Position = await this.readModels.position();
    const items = await this.readModels.importErrors();
    return new Positioned(position, { items, total: items.length });
  }

  @Route(operations.createBackup)
  async createBackup(@Input() { body }: InputOf<typeof operations.createBackup>) {
    if (this.adminCommands === null) throw notFound('this platform has no data folder to back up');
    try {
      return await this.adminCommands.backup(body.path);
    } catch (error) {
      throw new HttpProblem(422, 'No backup was written', error instanceof Error ? error.message : String(error));
    }
  }
}
