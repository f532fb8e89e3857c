{{- define "stentor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 44 | trimSuffix "-" -}}
{{- end -}}

{{/* 44 characters without dots: a pod's name adds 17. The pod's name is the node's id, which permits 64 characters of [A-Za-z0-9_-]. */}}
{{- define "stentor.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name)) -}}
{{- $full | replace "." "-" | trunc 44 | trimSuffix "-" -}}
{{- end -}}

{{- define "stentor.selectorLabels" -}}
app.kubernetes.io/name: {{ include "stentor.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "stentor.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{ include "stentor.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "stentor.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "stentor.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "stentor.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "stentor.secretName" -}}
{{ .Values.existingSecret | default (include "stentor.fullname" .) }}
{{- end -}}

{{- define "stentor.port" -}}
{{ dig "port" 8080 .Values.config | int }}
{{- end -}}

{{- define "stentor.adminPort" -}}
{{ dig "admin" "port" 9090 .Values.config | int }}
{{- end -}}

{{- define "stentor.path" -}}
{{ dig "path" "/ws" .Values.config }}
{{- end -}}

{{/* "true" where the nodes themselves have TLS. */}}
{{- define "stentor.hasTls" -}}
{{- if or .Values.nodeTls.existingSecret (dig "tls" "certFile" "" .Values.config) }}true{{ end -}}
{{- end -}}

{{- define "stentor.adminScheme" -}}
{{ ternary "HTTPS" "HTTP" (dig "admin" "tls" false .Values.config) }}
{{- end -}}

{{/* stentor.yaml: .Values.config, with defaults that a pod needs. */}}
{{- define "stentor.config" -}}
{{- $pod := dict "host" "0.0.0.0" "port" (include "stentor.port" . | int) "admin" (dict "host" "0.0.0.0" "port" (include "stentor.adminPort" . | int)) -}}
{{- $nats := dict -}}
{{- if .Values.natsCreds.existingSecret -}}
{{- $_ := set $nats "credsFile" (printf "/etc/stentor/nats-creds/%s" .Values.natsCreds.key) -}}
{{- end -}}
{{- if .Values.natsTls.existingSecret -}}
{{- $_ := set $nats "tlsCaFile" "/etc/stentor/nats-tls/ca.crt" -}}
{{- if .Values.natsTls.clientCertificate -}}
{{- $_ := set $nats "tlsCertFile" "/etc/stentor/nats-tls/tls.crt" -}}
{{- $_ := set $nats "tlsKeyFile" "/etc/stentor/nats-tls/tls.key" -}}
{{- end -}}
{{- end -}}
{{- $tls := dict -}}
{{- if .Values.nodeTls.existingSecret -}}
{{- $_ := set $tls "certFile" "/etc/stentor/tls/tls.crt" -}}
{{- $_ := set $tls "keyFile" "/etc/stentor/tls/tls.key" -}}
{{- if .Values.nodeTls.clientCa -}}
{{- $_ := set $tls "caFile" "/etc/stentor/tls/ca.crt" -}}
{{- end -}}
{{- end -}}
{{- mergeOverwrite $pod (dict "nats" $nats "tls" $tls) (deepCopy .Values.config) | toYaml -}}
{{- end -}}

{{- define "stentor.terminationGracePeriodSeconds" -}}
{{- $drainSeconds := divf (dig "hub" "drainTimeoutMs" 20000 .Values.config) 1000 | ceil | int -}}
{{- $least := add .Values.preStopSeconds $drainSeconds 1 | int -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{ add $least 9 }}
{{- else if lt (int $given) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d: a drain of up to %d s after %d s of preStop needs %d at least" (int $given) $drainSeconds (int .Values.preStopSeconds) $least) -}}
{{- else -}}
{{ int $given }}
{{- end -}}
{{- end -}}

{{/* The pod of `helm test`. It has no label of a node; otherwise Services would send it clients. */}}
{{- define "stentor.testLabels" -}}
app.kubernetes.io/name: {{ include "stentor.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The content of existingSecret, as YAML; empty if there is no cluster to ask (`helm template`, Argo CD). */}}
{{- define "stentor.existingSecretData" -}}
{{- with .Values.existingSecret -}}
{{- with (lookup "v1" "Secret" $.Release.Namespace .) -}}
{{- get . "data" | default dict | toYaml -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The files of hookModules.existingConfigMap, as YAML; empty if there is no cluster to ask. Workers load them only when they start. */}}
{{- define "stentor.hookModulesData" -}}
{{- with .Values.hookModules.existingConfigMap -}}
{{- with (lookup "v1" "ConfigMap" $.Release.Namespace .) -}}
{{- dict "data" (get . "data") "binaryData" (get . "binaryData") | toYaml -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Says which value contains NATS's URL; empty if none does. */}}
{{- define "stentor.natsUrlSource" -}}
{{- $inEnv := false -}}
{{- range .Values.extraEnv }}{{ if eq (get . "name") "STENTOR_NATS_URL" }}{{ $inEnv = true }}{{ end }}{{ end -}}
{{- if dig "nats" "url" "" .Values.config -}}
config.nats.url
{{- else if get .Values.secretEnv "STENTOR_NATS_URL" -}}
secretEnv
{{- else if $inEnv -}}
extraEnv
{{- else if hasKey (include "stentor.existingSecretData" . | fromYaml) "STENTOR_NATS_URL" -}}
existingSecret
{{- end -}}
{{- end -}}

{{/* Variables whose whole value is a secret; a test keeps them equal to Stentor's own list. */}}
{{- define "stentor.secretVariables" -}}
STENTOR_ADMIN_TOKEN STENTOR_ADMIN_TOKENS STENTOR_NATS_PASSWORD STENTOR_NATS_TOKEN STENTOR_NATS_ORIGIN_SECRETS STENTOR_AUTH_KEYS
{{- end -}}

{{/* Refuses values that are valid each, but not together. */}}
{{- define "stentor.validate" -}}
{{- $natsUrl := dig "nats" "url" "" .Values.config -}}
{{- if or (contains "@" $natsUrl) (regexMatch "://[^/@,\\s\"']+@" (toYaml .Values.config)) -}}
{{- fail "a URL in config contains a user, a password or a token, and config becomes a ConfigMap: put the whole URL into a Secret (STENTOR_NATS_URL), or set the login separately (STENTOR_NATS_USER and STENTOR_NATS_PASSWORD, STENTOR_NATS_TOKEN, natsCreds)" -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- $name := get . "name" -}}
{{- $value := get . "value" | default "" | toString -}}
{{- $isSecret := has $name (splitList " " (include "stentor.secretVariables" $)) -}}
{{- /* Public keys are not secret. */ -}}
{{- if eq $name "STENTOR_AUTH_KEYS" }}{{ $isSecret = contains "secret" $value }}{{ end -}}
{{- $isLogin := and (hasPrefix "STENTOR_" $name) (or (regexMatch "://[^/@,\\s]+@" $value) (and (eq $name "STENTOR_NATS_URL") (contains "@" $value))) -}}
{{- if and $value (or $isSecret $isLogin) -}}
{{- fail (printf "the value of %s in extraEnv is a secret, which the Deployment would show: take it from a Secret (valueFrom.secretKeyRef), or put it into secretEnv" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.natsTls.clientCertificate (not .Values.natsTls.existingSecret) -}}
{{- fail "natsTls.clientCertificate needs natsTls.existingSecret with the certificate" -}}
{{- end -}}
{{- if and .Values.natsCreds.existingSecret (dig "nats" "credsFile" "" .Values.config) -}}
{{- fail "set natsCreds or config.nats.credsFile, not both" -}}
{{- end -}}
{{- if and .Values.natsTls.existingSecret (dig "nats" "tlsCaFile" "" .Values.config) -}}
{{- fail "set natsTls or config.nats.tlsCaFile, not both" -}}
{{- end -}}
{{- if and .Values.nodeTls.clientCa (not .Values.nodeTls.existingSecret) -}}
{{- fail "nodeTls.clientCa needs nodeTls.existingSecret with the CA" -}}
{{- end -}}
{{- if and .Values.nodeTls.existingSecret (dig "tls" "certFile" "" .Values.config) -}}
{{- fail "set nodeTls or config.tls.certFile, not both" -}}
{{- end -}}
{{- $modules := list (dig "hooks" "module" "" .Values.config) -}}
{{- range dig "namespaces" dict .Values.config }}{{ $modules = append $modules (dig "hooks" "module" "" (. | default dict)) }}{{ end -}}
{{- $mounted := false -}}
{{- range $modules }}{{ if hasPrefix "/etc/stentor/hooks/" . }}{{ $mounted = true }}{{ end }}{{ end -}}
{{- $isMounted := or .Values.hookModules.existingConfigMap (contains "/etc/stentor/hooks" (toYaml .Values.extraVolumeMounts)) -}}
{{- if and $mounted (not $isMounted) -}}
{{- fail "a hooks.module of config is in /etc/stentor/hooks: set hookModules.existingConfigMap to the ConfigMap with the file" -}}
{{- end -}}
{{- if and .Values.hookModules.existingConfigMap (not $mounted) -}}
{{- fail "hookModules.existingConfigMap is set, but no hooks.module of config is in /etc/stentor/hooks" -}}
{{- end -}}
{{- range $path, $host := dict "config.host" (dig "host" "" .Values.config) "config.admin.host" (dig "admin" "host" "" .Values.config) -}}
{{- if or (hasPrefix "127." $host) (has $host (list "localhost" "::1")) -}}
{{- fail (printf "%s is %s, which neither clients nor probes can reach from outside the container: remove it" $path $host) -}}
{{- end -}}
{{- end -}}
{{- if and (has (toString .Values.maxSurge) (list "0" "0%")) (has (toString .Values.maxUnavailable) (list "0" "0%")) -}}
{{- fail "maxSurge and maxUnavailable are both 0: no node could ever be replaced" -}}
{{- end -}}
{{- $several := or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}
{{- if and $several (not (include "stentor.natsUrlSource" .)) -}}
{{- fail "more than one node needs NATS; otherwise each would broadcast only its own publications: set config.nats.url, secretEnv.STENTOR_NATS_URL, or STENTOR_NATS_URL in extraEnv with a secretKeyRef to existingSecret" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas)) -}}
{{- fail "autoscaling.maxReplicas is below autoscaling.minReplicas" -}}
{{- end -}}
{{- if and .Values.existingSecret .Values.secretEnv -}}
{{- fail "set existingSecret or secretEnv, not both: with existingSecret the chart creates no Secret" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.enabled needs gateway.parentRefs" -}}
{{- end -}}
{{- end -}}
