export { alertOf, ALERTING_TYPES, type Alert } from './service/alert.ts';
export { Alerts, type AlertsOptions } from './service/alerts.ts';
