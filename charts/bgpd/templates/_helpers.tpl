{{/* The labels of every object; what selects pods is never a version. */}}
{{- define "bgpd.labels" -}}
{{- include "bgpd.labelsWith" (list . dict) -}}
{{- end }}

{{/* The same and a person's own, which win over commonLabels: (list $ labels). */}}
{{- define "bgpd.labelsWith" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") }}
app.kubernetes.io/name: bgpd
app.kubernetes.io/instance: {{ toYaml $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: bgpd
{{- with merge (dict) (index . 1 | default dict) ($root.Values.commonLabels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The labels of the pods of one component: (list $ "agent" labels). */}}
{{- define "bgpd.podLabels" -}}
{{- $root := index . 0 -}}
{{- include "bgpd.selector" . -}}
{{- with merge (dict) (index . 2 | default dict) ($root.Values.commonLabels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A label that stands twice, or that no longer selects, is refused by an API server in words about something else. */}}
{{- define "bgpd.refuseOwnLabels" -}}
{{- $monitoring := .Values.monitoring -}}
{{- $places := dict "commonLabels" .Values.commonLabels "nodes.labels" .Values.nodes.labels "controller.labels" .Values.controller.labels -}}
{{- $_ := set $places "monitoring.podMonitor.labels" $monitoring.podMonitor.labels -}}
{{- $_ := set $places "monitoring.prometheusRule.labels" $monitoring.prometheusRule.labels -}}
{{- $_ := set $places "monitoring.dashboards.labels" $monitoring.dashboards.labels -}}
{{- range $place, $labels := $places -}}
{{- range $label, $_ := $labels -}}
{{- if regexMatch "^(helm\\.sh/chart|app\\.kubernetes\\.io/(name|instance|component|version|managed-by|part-of))$" $label -}}
{{- fail (printf "%s: %s is a label that the chart sets itself; remove it" $place $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What selects the pods of one component: (list $ "agent"). */}}
{{- define "bgpd.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: bgpd
app.kubernetes.io/instance: {{ toYaml $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* A digest wins over a tag, and the tag is the chart's appVersion unless it is said. */}}
{{- define "bgpd.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{/* The documents of a file under files/, as a list, for the namespace of the release: (list $ "files/rbac/agent.yaml"). */}}
{{- define "bgpd.file" -}}
{{- $root := index . 0 -}}
{{- $documents := list -}}
{{- range regexSplit "(?m)^---[ \t]*$" ($root.Files.Get (index . 1)) -1 -}}
{{- /* By way of JSON, in which a namespace that looks like a number stays a text. */ -}}
{{- $document := fromYaml . | toJson | replace "bgpd-system" $root.Release.Namespace | fromJson -}}
{{- if $document.kind -}}
{{- $labels := merge (dict) ($document.metadata.labels | default dict) (include "bgpd.labels" $root | fromYaml) -}}
{{- $_ := set $document.metadata "labels" $labels -}}
{{- $documents = append $documents $document -}}
{{- end -}}
{{- end -}}
{{- range $documents }}
---
{{ toYaml . }}
{{- end -}}
{{- end }}

{{/* What every container may do: nothing. (list uid capabilities) */}}
{{- define "bgpd.security" -}}
{{- $capabilities := index . 1 -}}
runAsUser: {{ index . 0 }}
runAsGroup: 65532
runAsNonRoot: {{ ne (index . 0 | int) 0 }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  {{- with $capabilities }}
  add: {{ toJson . }}
  {{- end }}
{{- end }}

{{/* The capabilities of the agent: NET_ADMIN where the values ask for routes, addresses or default routes of the host, or to wait for connections. */}}
{{- define "bgpd.agentCapabilities" -}}
{{- $found := .Values.agent.capabilities -}}
{{- if eq (include "bgpd.managesHost" .) "true" -}}
{{- $found = append $found "NET_ADMIN" | uniq -}}
{{- end -}}
{{- toJson (sortAlpha $found) -}}
{{- end }}

{{- define "bgpd.managesHost" -}}
{{- $asked := false -}}
{{- if eq .Values.agent.manageHost "Always" -}}
{{- $asked = true -}}
{{- else if eq .Values.agent.manageHost "Auto" -}}
{{- range concat (list (dict "kind" "BGPPeer" "spec" (dict "provider" .Values.provider)) (dict "kind" "SpeakerPolicy" "spec" .Values.speakerPolicy)) .Values.documents -}}
{{- $spec := .spec | default dict -}}
{{- if or $spec.provider $spec.gateway $spec.bindOnHost (dig "host" "egress" false $spec) (eq ($spec.drain | default "") "WaitForConnections") -}}
{{- $asked = true -}}
{{- end -}}
{{- end -}}
{{- range .Values.peers -}}
{{- if kindIs "map" . -}}
{{- if or .gateway .provider -}}
{{- $asked = true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $asked -}}
{{- end }}

{{/* A session whose key nobody can read would wait for ever: (list $ document). */}}
{{- define "bgpd.refuseMissingSecrets" -}}
{{- $root := index . 0 -}}
{{- $document := index . 1 -}}
{{- $spec := $document.spec | default dict -}}
{{- range $field := list "passwordFile" "providerTokenFile" -}}
{{- $path := get $spec $field | toString -}}
{{- if hasPrefix "/etc/bgpd/passwords/" $path -}}
{{- $secret := index (splitList "/" $path) 4 -}}
{{- if not (has $secret ($root.Values.passwordSecrets.mounted | default list)) -}}
{{- fail (printf "passwordSecrets.mounted: %s %s reads %s, which is of the Secret %s; add %s to the list" $document.kind $document.metadata.name $path $secret $secret) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $reference := $spec.passwordSecret | default dict -}}
{{- $here := has ($reference.namespace | default $root.Release.Namespace) (list $root.Release.Namespace) -}}
{{- if and $reference.name $here $root.Values.rbac.create (not (has $reference.name ($root.Values.passwordSecrets.watched | default list))) -}}
{{- fail (printf "passwordSecrets.watched: %s %s takes its key from the Secret %s, which agents may not read; add %s to the list" $document.kind $document.metadata.name $reference.name $reference.name) -}}
{{- end -}}
{{- end }}

{{/* The Secret with the key of the mesh. */}}
{{- define "bgpd.meshSecret" -}}
{{- .Values.mesh.existingSecret | default "bgpd-mesh" -}}
{{- end }}

{{/* What keeps the meshes of two clusters apart. */}}
{{- define "bgpd.clusterUID" -}}
{{- .Values.clusterUID | default (printf "%s/%s" .Release.Namespace .Release.Name) -}}
{{- end }}

{{/* How metrics and health are served: (list $ addresses port). */}}
{{- define "bgpd.metrics" -}}
{{- $monitoring := (index . 0).Values.monitoring -}}
{{- $port := index . 2 -}}
{{- $places := list -}}
{{- range index . 1 -}}
{{- $places = append $places (printf "%s:%d" . (int $port)) -}}
{{- end -}}
- --metrics-address={{ join "," $places }}
{{- if $monitoring.tlsSecret }}
- --metrics-tls-cert=/etc/bgpd/metrics-tls/tls.crt
- --metrics-tls-key=/etc/bgpd/metrics-tls/tls.key
{{- end }}
{{- if $monitoring.tokenSecret }}
- --metrics-token-file=/etc/bgpd/metrics-token/token
{{- end }}
{{- end }}

{{/* On a node the kubelet asks on the loopback address; Prometheus can only ask on the node's. */}}
{{- define "bgpd.nodeMetrics" -}}
{{- $root := index . 0 -}}
{{- $addresses := list "127.0.0.1" -}}
{{- if $root.Values.monitoring.podMonitor.enabled -}}
{{- $addresses = append $addresses "[$(BGPD_HOST_IP)]" -}}
{{- end -}}
{{- include "bgpd.metrics" (list $root $addresses (index . 1)) -}}
{{- end }}

{{/* The mounts and the volumes of what metrics are served with. */}}
{{- define "bgpd.metricsMounts" -}}
{{- if .Values.monitoring.tlsSecret }}
- {name: metrics-tls, mountPath: /etc/bgpd/metrics-tls, readOnly: true}
{{- end }}
{{- if .Values.monitoring.tokenSecret }}
- {name: metrics-token, mountPath: /etc/bgpd/metrics-token, readOnly: true}
{{- end }}
{{- end }}
{{- define "bgpd.metricsVolumes" -}}
{{- with .Values.monitoring.tlsSecret }}
- name: metrics-tls
  secret: {secretName: {{ toYaml . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.monitoring.tokenSecret }}
- name: metrics-token
  secret: {secretName: {{ toYaml . }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{/* A probe of one of our own endpoints: (list $ port path host). */}}
{{- define "bgpd.probe" -}}
httpGet:
  {{- with index . 3 }}
  # The kubelet is in the node's network, as we are: nobody else can ask.
  host: {{ . }}
  {{- end }}
  port: {{ index . 1 }}
  path: {{ index . 2 }}
  {{- if (index . 0).Values.monitoring.tlsSecret }}
  scheme: HTTPS
  {{- end }}
{{- end }}

{{/* What an address looks like, as far as a pattern can tell; a range and a block are made of it. */}}
{{- define "bgpd.v4Pattern" -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- printf `%s(\.%s){3}` $octet $octet -}}
{{- end }}
{{- define "bgpd.v6Pattern" -}}
{{- print `[0-9A-Fa-f:]*:[0-9A-Fa-f:]*` -}}
{{- end }}
{{- define "bgpd.addressPattern" -}}
{{- printf "%s|%s" (include "bgpd.v4Pattern" .) (include "bgpd.v6Pattern" .) -}}
{{- end }}
{{- define "bgpd.blockPattern" -}}
{{- $four := include "bgpd.v4Pattern" . -}}
{{- $six := include "bgpd.v6Pattern" . -}}
{{- $fours := printf "%s(/([12]?[0-9]|3[0-2])|-%s)" $four $four -}}
{{- $sixes := printf "%s(/([1-9]?[0-9]|1[01][0-9]|12[0-8])|-%s)" $six $six -}}
{{- printf "^(%s|%s)$" $fours $sixes -}}
{{- end }}

{{/* How long a pod may take to drain: the longest drain of the values' SpeakerPolicies and 15 s; 60 s at least. */}}
{{- define "bgpd.graceSeconds" -}}
{{- $drain := 1 -}}
{{- $whose := "speakerPolicy" -}}
{{- range concat (list (dict "kind" "SpeakerPolicy" "spec" .Values.speakerPolicy)) .Values.documents -}}
{{- $policy := ternary .spec nil (eq .kind "SpeakerPolicy") | default dict -}}
{{- $its := ternary 60 1 (eq ($policy.drain | default "") "WaitForConnections") -}}
{{- if $policy.drainSeconds -}}
{{- $its = $policy.drainSeconds | int -}}
{{- else if $policy.drainMilliseconds -}}
{{- $its = divf $policy.drainMilliseconds 1000 | ceil | int -}}
{{- end -}}
{{- if gt $its $drain -}}
{{- $drain = $its -}}
{{- $whose = hasKey . "metadata" | ternary (printf "the SpeakerPolicy %s in documents" (dig "metadata" "name" "" .)) "speakerPolicy" -}}
{{- end -}}
{{- end -}}
{{- $least := add $drain 15 -}}
{{- $asked := .Values.nodes.terminationGracePeriodSeconds | int -}}
{{- if and $asked (lt $asked ($least | int)) -}}
{{- fail (printf "nodes.terminationGracePeriodSeconds: %d is too short: the drain of %s takes %d s, and 15 s are needed around it; leave it out, or set at least %d" $asked $whose $drain $least) -}}
{{- end -}}
{{- $asked | default (max 60 $least) -}}
{{- end }}

{{/* What the processes of a node know from outside. */}}
{{- define "bgpd.nodeEnvironment" -}}
- name: BGPD_NODE
  valueFrom:
    fieldRef: {fieldPath: spec.nodeName}
- name: BGPD_HOST_IP
  valueFrom:
    fieldRef: {fieldPath: status.hostIP}
{{- end }}
