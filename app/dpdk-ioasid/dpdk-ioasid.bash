# SPDX-License-Identifier: BSD-3-Clause
#
# Completion of dpdk-ioasid for bash. Needs no more than bash itself; with bash-completion
# what stands behind `run` is completed as a command of its own.

_dpdk_ioasid_plugin_options=(--allow-insecure-vfio --ioasid-dev --ioasid-fd
	--ioasid-iova-window --ioasid-mode --vfio-device-fd)

# By address, or by the network interface.
_dpdk_ioasid_devices() {
	local device

	for device in /sys/bus/pci/devices/*; do
		echo "${device##*/}"
	done
	for device in /sys/class/net/*; do
		if [[ $(readlink "$device") == */pci*:*/net/* ]]; then
			echo "${device##*/}"
		fi
	done
}

# A colon ends a word in $COMP_WORDBREAKS: what stands before it was completed before.
_dpdk_ioasid_reply() {
	local current=$1 colon

	shift
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "$current")
	if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
		colon=${current%"${current##*:}"}
		COMPREPLY=("${COMPREPLY[@]#"$colon"}")
	fi
}

# The word to complete, put together again where colons have split it.
_dpdk_ioasid_current() {
	local word=${COMP_WORDS[COMP_CWORD]} i=$((COMP_CWORD - 1))

	while ((i > 1)) && [[ $word == :* || ${COMP_WORDS[i]} == : ]]; do
		word=${COMP_WORDS[i]}$word
		((i--))
	done
	echo "$word"
}

# The place of the application behind `run`; 0: not there yet.
_dpdk_ioasid_application() {
	local i

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) echo $((i + 1)) && return ;;
		--dpdk-library | -l | --ioasid-dev | --ioasid-fd | --ioasid-iova-window | \
			--ioasid-mode | --vfio-device-fd) ((i++)) ;;
		-*) ;;
		*) echo "$i" && return ;;
		esac
	done
	echo 0
}

_dpdk_ioasid_run() {
	local application

	application=$(_dpdk_ioasid_application)
	if ((application > 0)); then
		if declare -F _command_offset >/dev/null; then
			_command_offset "$application"
		elif ((application == COMP_CWORD)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$1")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$1")
		fi
		return
	fi
	_dpdk_ioasid_value "$1" && return
	if [[ $1 == -* ]]; then
		_dpdk_ioasid_reply "$1" "${_dpdk_ioasid_plugin_options[@]}" --help
	else
		mapfile -t COMPREPLY < <(compgen -c -- "$1")
	fi
}

# The value of the option before the word to complete; false: it wants none.
_dpdk_ioasid_value() {
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--ioasid-mode) _dpdk_ioasid_reply "$1" auto native container ;;
	-p | --page-size) _dpdk_ioasid_reply "$1" 2M 1G ;;
	--ioasid-dev | -o | --output | --svg) mapfile -t COMPREPLY < <(compgen -f -- "$1") ;;
	-s | --size | -n | --repeat) ;;
	*) return 1 ;;
	esac
}

_dpdk_ioasid_guard() {
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	allow | deny) _dpdk_ioasid_reply "$1" device cgroup group uid; return ;;
	device) _dpdk_ioasid_reply "$1" "$(_dpdk_ioasid_devices)"; return ;;
	--rule) _dpdk_ioasid_reply "$1" bound joined alone; return ;;
	--config) mapfile -t COMPREPLY < <(compgen -f -- "$1"); return ;;
	esac
	case ${COMP_WORDS[2]} in
	start) _dpdk_ioasid_reply "$1" --report-only --enforce --rule --config ;;
	allow | deny) _dpdk_ioasid_reply "$1" --config ;;
	status) _dpdk_ioasid_reply "$1" --json ;;
	log) _dpdk_ioasid_reply "$1" --json --no-follow ;;
	*) ((COMP_CWORD == 2)) && _dpdk_ioasid_reply "$1" start stop status allow deny log --help ;;
	esac
}

_dpdk_ioasid() {
	local current options subcommands="run check bind unbind guard bench cdi dts-tree"

	COMPREPLY=()
	current=$(_dpdk_ioasid_current)
	if ((COMP_CWORD == 1)); then
		_dpdk_ioasid_reply "$current" "$subcommands" ${current:+--help --version}
		return
	fi
	case ${COMP_WORDS[1]} in
	run) _dpdk_ioasid_run "$current"; return ;;
	check) options="--all --json --help" ;;
	bind | unbind) options="--force --dry-run --help" ;;
	guard) _dpdk_ioasid_guard "$current"; return ;;
	bench) options="--size --page-size --repeat --json --svg --help" ;;
	cdi) options="--allow-insecure-vfio --json --output --help" ;;
	dts-tree) options="--stock ${_dpdk_ioasid_plugin_options[*]} --help" ;;
	*) return ;;
	esac
	if _dpdk_ioasid_value "$current"; then
		return
	elif [[ $current == -* ]]; then
		_dpdk_ioasid_reply "$current" "$options"
	elif [[ ${COMP_WORDS[1]} == dts-tree ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
	else
		_dpdk_ioasid_reply "$current" "$(_dpdk_ioasid_devices)"
	fi
}

complete -F _dpdk_ioasid dpdk-ioasid
