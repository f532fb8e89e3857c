import { route } from '../route.ts';
import { SeriesAnswer } from '../schemas/series.ts';

export const series = route({
  method: 'GET',
  path: '/api/series',
  operationId: 'series',
  summary: 'The last hour of each node',
  description:
    'A node keeps `tuning.admin.seriesPointsMax` points in memory, and begins anew when it restarts. For longer times use Prometheus.',
  scope: 'read',
  answer: SeriesAnswer,
  handle: (_, { sources }) => sources.operator.finder.series(),
});
