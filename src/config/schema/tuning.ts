import Type from 'typebox';
import { closed } from './closed.ts';
import { AdminTuning } from './tuning-admin.ts';
import { AnswersTuning } from './tuning-answers.ts';
import { AuthTuning } from './tuning-auth.ts';
import { CommandsTuning } from './tuning-commands.ts';
import { ConnectionsTuning } from './tuning-connections.ts';
import { FanoutTuning } from './tuning-fanout.ts';
import { HooksTuning } from './tuning-hooks.ts';
import { HttpTuning } from './tuning-http.ts';
import { HubTuning } from './tuning-hub.ts';
import { MemoryTuning } from './tuning-memory.ts';
import { NatsTuning } from './tuning-nats.ts';
import { PresenceTuning } from './tuning-presence.ts';
import { RecentTuning } from './tuning-recent.ts';
import { RecoveryTuning } from './tuning-recovery.ts';
import { SanitizeTuning } from './tuning-sanitize.ts';
import { SendingTuning } from './tuning-sending.ts';

/** Limits, delays and batches whose defaults suit nearly everybody. They have a separate reference page, TUNING.md. */
export const TuningSchema = Type.Object(
  {
    admin: AdminTuning,
    connections: ConnectionsTuning,
    commands: CommandsTuning,
    fanout: FanoutTuning,
    recent: RecentTuning,
    recovery: RecoveryTuning,
    answers: AnswersTuning,
    hooks: HooksTuning,
    http: HttpTuning,
    hub: HubTuning,
    nats: NatsTuning,
    auth: AuthTuning,
    memory: MemoryTuning,
    presence: PresenceTuning,
    sanitize: SanitizeTuning,
    sending: SendingTuning,
  },
  { ...closed, default: {} },
);
